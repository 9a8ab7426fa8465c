"""`PageInfo` of Relay connections. https://relay.dev/graphql/connections.htm"""

from __future__ import annotations

import strawberry


@strawberry.federation.type(shareable=True, description="Where a page stands in its list.")
class PageInfo:
    """Equal to the type of the other subgraphs."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None
