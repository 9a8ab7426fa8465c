"""The interface of everything that has a global id. https://relay.dev/graphql/objectidentification.htm"""

from __future__ import annotations

import strawberry

NODE_ID = (
    "Opaque id, unique in the whole graph and the same whichever system answers; `node(id:)` reads the object by it."
)


@strawberry.interface(description="Anything with an id of its own in the whole graph.")
class Node:
    """Anything that `node(id:)` finds."""

    id: strawberry.ID = strawberry.field(description=NODE_ID)
