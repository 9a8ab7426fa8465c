"""Source streams: a subscriber's events from a cursor on, replayed first and then live.

The stream pulls. Replay and live are one loop over the log, so between them nothing is missed and nothing comes
twice; and a slow subscriber costs a position and one page, since the log is the buffer. What a subscriber that falls
behind gets is its own choice: see `WhenBehind`.
https://spec.graphql.org/October2021/#sec-Source-Stream
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from gateway.errors import GatewayError
from gateway.events.cursor import parse_cursor, print_cursor
from gateway.events.event import RecordedEvent
from gateway.events.log import EventFilter, EventLog, EventPage, PositionExpired, StoreUnavailable
from gateway.events.meter import EventMeter

_PAGE = 100
"""Events held per subscriber at most."""
_FAR_BEHIND = 1_000
"""Wanted events that may wait before a subscriber that skips goes on with the newest."""


class WhenBehind(StrEnum):
    """What a subscriber gets that reads more slowly than events come."""

    KEEP = "KEEP"
    """Every event, however late. What is no longer kept ends the stream with EVENT_CURSOR_EXPIRED."""
    COALESCE = "COALESCE"
    """Of those that wait, the newest of each subject and type; it tells how many it stands for. Gaps are announced."""
    SKIP = "SKIP"
    """Once more than a thousand wait, none of them: a gap is announced and the stream goes on with what comes."""


class GapReason(StrEnum):
    """Why events were left out."""

    SKIPPED = "SKIPPED"
    """The subscriber was far behind, and asked for this."""
    EXPIRED = "EXPIRED"
    """They were no longer kept."""
    LOG_REPLACED = "LOG_REPLACED"
    """The log lost events, or is another one than the cursor's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedEvent:
    """An event on its way to a subscriber."""

    recorded: RecordedEvent
    cursor: str
    """A subscription that starts with this cursor goes on with the next event."""
    coalesced: int = 0
    """Older events of the same subject and type that it stands for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Events that a subscriber does not get."""

    reason: GapReason
    missed: int | None
    """How many; None where nobody can know."""
    cursor: str
    """Where the stream goes on."""


Streamed: TypeAlias = StreamedEvent | Gap


class EventStreams:
    """Opens source streams over one log."""

    def __init__(
        self, log: EventLog, meter: EventMeter | None = None, *, page: int = _PAGE, far_behind: int = _FAR_BEHIND
    ) -> None:
        self._log = log
        self.meter = meter or EventMeter()
        """How late the log's events are, and reach subscribers."""
        self._page = page
        self._far_behind = far_behind

    def subscribe(
        self, wanted: EventFilter, cursor: str | None = None, when_behind: WhenBehind = WhenBehind.KEEP
    ) -> AsyncGenerator[Streamed]:
        """Return the wanted events after a cursor, or from this moment on; it never ends by itself.

        Raises EVENT_CURSOR_INVALID at once, and EVENT_CURSOR_EXPIRED where gaps are not to be announced instead.
        Iterating raises EVENT_CURSOR_EXPIRED likewise if the subscriber is slower than retention or the log was
        replaced, and STORE_UNAVAILABLE.
        """
        bounds = self._log.bounds()
        gap = None
        if cursor is None:
            after = bounds.head
        else:
            try:
                after = parse_cursor(cursor, bounds)
            except GatewayError as error:
                if error.code != "EVENT_CURSOR_EXPIRED" or when_behind is WhenBehind.KEEP:
                    raise
                after, gap = bounds.trimmed, GapReason.EXPIRED
        return self._stream(after, wanted, when_behind, bounds.log_id, gap)

    async def _stream(
        self, after: int, wanted: EventFilter, when_behind: WhenBehind, log_id: str, gap: GapReason | None
    ) -> AsyncGenerator[Streamed]:
        position, is_live = after, False
        self.meter.subscriptions.inc()
        try:
            while True:
                if gap is not None:
                    self.meter.gap(gap.value)
                    if when_behind is WhenBehind.KEEP:
                        raise GatewayError("EVENT_CURSOR_EXPIRED")
                    yield Gap(reason=gap, missed=None, cursor=print_cursor(log_id, position))
                    gap = None
                try:
                    page = await self._log.read(position, wanted, self._page)
                    if when_behind is WhenBehind.SKIP and not page.complete:
                        page, missed = await self._caught_up(page, wanted)
                        if missed:
                            position = page.position
                            self.meter.gap(GapReason.SKIPPED.value)
                            yield Gap(reason=GapReason.SKIPPED, missed=missed, cursor=print_cursor(log_id, position))
                            continue
                    for streamed in self._deliveries(page, when_behind, log_id):
                        if is_live:
                            self.meter.delivered(streamed.recorded)
                        yield streamed
                    position = page.position
                    is_live = page.complete
                    if page.complete:
                        position = await self._log.wait(position, wanted)
                except PositionExpired:
                    gap = GapReason.EXPIRED
                except StoreUnavailable as error:
                    raise GatewayError("STORE_UNAVAILABLE", retry_after_ms=1_000) from error
                bounds = self._log.bounds()
                if bounds.log_id != log_id:
                    log_id, position, gap = bounds.log_id, bounds.trimmed, GapReason.LOG_REPLACED
                elif gap is not None:
                    position = bounds.trimmed
        finally:
            self.meter.subscriptions.dec()

    async def _caught_up(self, first: EventPage, wanted: EventFilter) -> tuple[EventPage, int]:
        """Return where the log ends and how many events lie before it; or the first page and 0 if it is not far."""
        count, page = len(first.events), first
        while not page.complete:
            page = await self._log.read(page.position, wanted, self._page)
            count += len(page.events)
        return (page, count) if count > self._far_behind else (first, 0)

    @staticmethod
    def _deliveries(page: EventPage, when_behind: WhenBehind, log_id: str) -> list[StreamedEvent]:
        """Return what of a page is delivered; an event that stands for older ones keeps its own place in the order."""
        if when_behind is not WhenBehind.COALESCE:
            return [StreamedEvent(recorded=each, cursor=print_cursor(log_id, each.position)) for each in page.events]
        counts: dict[tuple[str, str], int] = {}
        for recorded in page.events:
            key = (recorded.event.subject, recorded.event.type)
            counts[key] = counts.get(key, 0) + 1
        deliveries = []
        seen: dict[tuple[str, str], int] = {}
        for recorded in page.events:
            key = (recorded.event.subject, recorded.event.type)
            seen[key] = seen.get(key, 0) + 1
            if seen[key] < counts.get(key, 0):
                continue
            cursor = print_cursor(log_id, recorded.position)
            coalesced = max(counts.get(key, 1) - 1, 0)
            deliveries.append(StreamedEvent(recorded=recorded, cursor=cursor, coalesced=coalesced))
        return deliveries
