"""`events`: the log as a Relay connection, oldest first, with the cursors of subscriptions.

https://relay.dev/graphql/connections.htm
"""

from __future__ import annotations

import strawberry

from gateway.errors import GatewayError
from gateway.events.cursor import parse_cursor, print_cursor
from gateway.events.event import RecordedEvent
from gateway.events.log import EventFilter, EventLog, LogBounds, PositionExpired, StoreUnavailable
from gateway.events.sight import Sight
from gateway.events.source_stream import StreamedEvent
from gateway.graph.context import GraphInfo
from gateway.graph.lifecycle_event import LifecycleEvent
from gateway.graph.page_info import PageInfo
from gateway.graph.refusal import refusal, to_graphql_error

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 200
_CHUNK = 200
_LOOKED_AT = 2_000
"""Events that are looked at for one page of a caller who may see few of them; the page then ends where that ended."""


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
        """How many events are kept that the filter lets through; null for callers who may not see all of them."""
        if info.context.sight is not None:
            return None
        try:
            return await info.context.log.count(self.wanted)
        except StoreUnavailable as error:
            raise refusal("STORE_UNAVAILABLE") from error


async def event_page(
    log: EventLog,
    wanted: EventFilter,
    sight: Sight | None = None,
    *,
    first: int | None,
    after: str | None,
    last: int | None,
    before: str | None,
) -> LifecycleEventConnection:
    """Return a page from the front or from the back, of what the caller may see.

    Raises BAD_USER_INPUT, EVENT_CURSOR_*, STORE_UNAVAILABLE, and SYSTEM_* where nobody can tell what the caller may see.
    """
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
            found, looked_to = await _read_back(log, wanted, sight, lower, upper, size + 1)
            events, has_next = found[max(0, len(found) - size) :], upper is not None
            has_previous = len(found) > size or looked_to is not None
        else:
            found, looked_to = await _read(log, wanted, sight, lower, upper, size + 1)
            events, has_next = found[:size], len(found) > size or looked_to is not None
            has_previous = after is not None
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
            start_cursor=_cursor(edges[:1], bounds, looked_to if backward else None),
            end_cursor=_cursor(edges[-1:], bounds, None if backward else looked_to),
        ),
        wanted=wanted,
    )


async def _read(
    log: EventLog, wanted: EventFilter, sight: Sight | None, lower: int, upper: int | None, limit: int
) -> tuple[list[RecordedEvent], int | None]:
    """Return up to `limit` events after `lower` that the caller sees, and where the search was given up, if it was."""
    found: list[RecordedEvent] = []
    position, looked_at = lower, 0
    while looked_at < _LOOKED_AT:
        page = await log.read(position, wanted, limit if sight is None else _CHUNK)
        events = [recorded for recorded in page.events if upper is None or recorded.position < upper]
        found += events if sight is None else await sight.visible(events)
        if sight is None or len(found) >= limit or page.complete or len(events) < len(page.events):
            return found[:limit], None
        position, looked_at = page.position, looked_at + len(events)
    return found, position


async def _read_back(
    log: EventLog, wanted: EventFilter, sight: Sight | None, lower: int, upper: int | None, limit: int
) -> tuple[list[RecordedEvent], int | None]:
    """Return up to `limit` events before `upper`, oldest first, and where the search was given up, if it was."""
    found: list[RecordedEvent] = []
    position, looked_at = upper, 0
    while looked_at < _LOOKED_AT:
        size = limit if sight is None else _CHUNK
        newest = await log.read_back(position, wanted, size)
        events = [recorded for recorded in newest if recorded.position > lower]
        found += events if sight is None else await sight.visible(events)
        if sight is None or len(found) >= limit or len(events) < size:
            return found[:limit][::-1], None
        position, looked_at = newest[-1].position, looked_at + len(events)
    return found[::-1], position


def _cursor(edge: list[LifecycleEventEdge], bounds: LogBounds, looked_to: int | None) -> str | None:
    if looked_to is not None:
        return print_cursor(bounds.log_id, looked_to)
    return edge[0].cursor if edge else None


def _edge(recorded: RecordedEvent, log_id: str) -> LifecycleEventEdge:
    cursor = print_cursor(log_id, recorded.position)
    return LifecycleEventEdge(node=LifecycleEvent.of(StreamedEvent(recorded=recorded, cursor=cursor)), cursor=cursor)
