"""`Node`, the interface of everything with a global id."""

from __future__ import annotations

import strawberry


@strawberry.interface(description="Anything with an id of its own in the whole graph.")
class Node:
    """Anything with a global id."""

    id: strawberry.ID = strawberry.field(
        description="Opaque id, unique in the whole graph and the same whichever system answers; `node(id:)` reads the object by it."
    )
