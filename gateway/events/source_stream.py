"""Source streams: a subscriber's events from a cursor on, replayed first and then live.

The stream pulls. Replay and live are one loop over the log, so between them nothing is missed and nothing comes
twice; and a slow subscriber costs a position and one page, since the log is the buffer.
https://spec.graphql.org/October2021/#sec-Source-Stream
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from gateway.errors import GatewayError
from gateway.events.cursor import parse_cursor, print_cursor
from gateway.events.event import RecordedEvent
from gateway.events.log import EventFilter, EventLog, PositionExpired, StoreUnavailable

_PAGE = 100
"""Events held per subscriber at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedEvent:
    """An event on its way to a subscriber."""

    recorded: RecordedEvent
    cursor: str
    """A subscription that starts with this cursor goes on with the next event."""


class EventStreams:
    """Opens source streams over one log."""

    def __init__(self, log: EventLog, *, page: int = _PAGE) -> None:
        self._log = log
        self._page = page

    def subscribe(self, wanted: EventFilter, cursor: str | None = None) -> AsyncGenerator[StreamedEvent]:
        """Return the wanted events after a cursor, or from this moment on; it never ends by itself.

        Raises EVENT_CURSOR_INVALID or EVENT_CURSOR_EXPIRED at once. Iterating raises EVENT_CURSOR_EXPIRED if the
        subscriber is slower than retention, and STORE_UNAVAILABLE.
        """
        bounds = self._log.bounds()
        after = bounds.head if cursor is None else parse_cursor(cursor, bounds)
        return self._stream(after, wanted, bounds.log_id)

    async def _stream(self, after: int, wanted: EventFilter, log_id: str) -> AsyncGenerator[StreamedEvent]:
        position = after
        try:
            while True:
                page = await self._log.read(position, wanted, self._page)
                for recorded in page.events:
                    yield StreamedEvent(recorded=recorded, cursor=print_cursor(log_id, recorded.position))
                position = page.position
                if page.complete:
                    position = await self._log.wait(position, wanted)
        except PositionExpired as error:
            raise GatewayError("EVENT_CURSOR_EXPIRED") from error
        except StoreUnavailable as error:
            raise GatewayError("STORE_UNAVAILABLE", retry_after_ms=1_000) from error
