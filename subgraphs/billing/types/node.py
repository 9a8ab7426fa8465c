"""An object with a global id."""

from __future__ import annotations

import strawberry


@strawberry.federation.interface(description="An object with a global id.")
class Node:
    """An object with a global id. https://graphql.org/learn/global-object-identification/"""

    id: strawberry.ID
