"""`PageInfo` of Relay connections. https://relay.dev/graphql/connections.htm"""

from __future__ import annotations

import strawberry


@strawberry.federation.type(shareable=True, description="Where a page stands in its list.")
class PageInfo:
    """Equal to the type of the other subgraphs."""

    has_next_page: bool = strawberry.field(description="Whether items follow this page.")
    has_previous_page: bool = strawberry.field(description="Whether items stand before this page.")
    start_cursor: str | None = strawberry.field(
        description="Cursor of the page's first item, for `before`; null if the page is empty."
    )
    end_cursor: str | None = strawberry.field(
        description="Cursor of the page's last item, for `after`; null if the page is empty."
    )
