"""The newest events of a log, kept in memory: ten thousand subscribers read each of them, and none asks the store for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from gateway.events.event import RecordedEvent
from gateway.events.log import EventFilter, EventPage

_MOST = 2_000


class RecentEvents:
    """Every event behind a position, up to the newest that was heard of."""

    def __init__(self, after: int, *, most: int = _MOST) -> None:
        self._events: deque[RecordedEvent] = deque()
        self._after = after
        self._most = most

    def restart(self, after: int) -> None:
        """Forget all; what comes next follows this position."""
        self._events.clear()
        self._after = after

    def extend(self, events: Iterable[RecordedEvent]) -> None:
        """Add what follows the newest one."""
        self._events.extend(events)
        while len(self._events) > self._most:
            self._after = self._events.popleft().position

    def read(self, after: int, wanted: EventFilter, limit: int, *, head: int) -> EventPage | None:
        """Return a page as `EventLog.read` does, where `head` is the newest position; None where the store must be asked."""
        if after < self._after:
            return None
        fresh: list[RecordedEvent] = []
        for recorded in reversed(self._events):
            if recorded.position <= after:
                break
            fresh.append(recorded)
        found: list[RecordedEvent] = []
        for recorded in reversed(fresh):
            if len(found) == limit:
                return EventPage(events=tuple(found), position=found[-1].position, complete=False)
            if wanted.matches(recorded.event):
                found.append(recorded)
        return EventPage(events=tuple(found), position=max(after, head), complete=True)
