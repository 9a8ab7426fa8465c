"""`events`: the log as a Relay connection, oldest first, with the cursors of subscriptions.

https://relay.dev/graphql/connections.htm
"""

from __future__ import annotations

import strawberry

from gateway.errors import GatewayError
from gateway.events.cursor import parse_cursor, print_cursor
from gateway.events.event import RecordedEvent
from gateway.events.log import EventFilter, EventLog, PositionExpired, StoreUnavailable
from gateway.events.source_stream import StreamedEvent
from gateway.graph.context import GraphInfo
from gateway.graph.lifecycle_event import LifecycleEvent
from gateway.graph.page_info import PageInfo
from gateway.graph.refusal import refusal, to_graphql_error

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 200


@strawberry.type
class LifecycleEventEdge:
    """One event of a page."""

    node: LifecycleEvent
    cursor: str


@strawberry.type
class LifecycleEventConnection:
    """One page of events."""

    edges: list[LifecycleEventEdge]
    page_info: PageInfo
    wanted: strawberry.Private[EventFilter]

    @strawberry.field
    async def total_count(self, info: GraphInfo) -> int | None:
        """How many events are kept that the filter lets through."""
        try:
            return await info.context.log.count(self.wanted)
        except StoreUnavailable as error:
            raise refusal("STORE_UNAVAILABLE") from error


async def event_page(
    log: EventLog, wanted: EventFilter, *, first: int | None, after: str | None, last: int | None, before: str | None
) -> LifecycleEventConnection:
    """Return a page from the front or from the back. Raises BAD_USER_INPUT, EVENT_CURSOR_*, STORE_UNAVAILABLE."""
    backward = last is not None or (before is not None and first is None)
    size = (last if backward else first) if (first, last) != (None, None) else DEFAULT_PAGE_SIZE
    size = DEFAULT_PAGE_SIZE if size is None else size
    if first is not None and last is not None:
        raise refusal("BAD_USER_INPUT", "Ask for `first` or for `last`, not both.")
    if not 0 <= size <= MAX_PAGE_SIZE:
        raise refusal("BAD_USER_INPUT", f"A page has between 0 and {MAX_PAGE_SIZE} items.")
    bounds = log.bounds()
    try:
        lower = bounds.trimmed if after is None else parse_cursor(after, bounds)
        upper = None if before is None else parse_cursor(before, bounds)
        # One more than asked for tells whether the list goes on.
        if backward:
            newest = await log.read_back(upper, wanted, size + 1)
            found = [recorded for recorded in reversed(newest) if recorded.position > lower]
            events, has_next, has_previous = found[max(0, len(found) - size) :], upper is not None, len(found) > size
        else:
            page = await log.read(lower, wanted, size + 1)
            found = [recorded for recorded in page.events if upper is None or recorded.position < upper]
            events, has_next, has_previous = found[:size], len(found) > size, after is not None
    except GatewayError as error:
        raise to_graphql_error(error) from error
    except PositionExpired as error:
        raise refusal("EVENT_CURSOR_EXPIRED") from error
    except StoreUnavailable as error:
        raise refusal("STORE_UNAVAILABLE") from error
    edges = [_edge(recorded, bounds.log_id) for recorded in events]
    return LifecycleEventConnection(
        edges=edges,
        page_info=PageInfo(
            has_next_page=has_next,
            has_previous_page=has_previous,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        ),
        wanted=wanted,
    )


def _edge(recorded: RecordedEvent, log_id: str) -> LifecycleEventEdge:
    cursor = print_cursor(log_id, recorded.position)
    return LifecycleEventEdge(node=LifecycleEvent.of(StreamedEvent(recorded=recorded, cursor=cursor)), cursor=cursor)
