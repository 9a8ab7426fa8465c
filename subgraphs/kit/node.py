"""The interface of everything that has a global id. https://relay.dev/graphql/objectidentification.htm"""

from __future__ import annotations

import strawberry


@strawberry.interface(description="Anything that `node(id:)` finds.")
class Node:
    """Anything that `node(id:)` finds."""

    id: strawberry.ID
