"""`Node`, the interface of everything with a global id."""

from __future__ import annotations

import strawberry


@strawberry.interface(description="Anything with an id of its own in the whole graph.")
class Node:
    """Anything with a global id."""

    id: strawberry.ID
