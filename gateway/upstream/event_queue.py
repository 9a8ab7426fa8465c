"""Events on their way from one stream to several readers, each at its own pace.

The next one is taken from the stream when one of the readers has taken all there was: who reads slowly holds up nobody
else, and the stream is held back where nobody reads. Who falls too far behind the others is ended with SLOW_CONSUMER.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from gateway.execution.ports import SubgraphFailure

EventT = TypeVar("EventT")


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """How far one reader may be behind another."""

    events: int = 1_000
    size: int = 16 << 20
    """Bytes."""


class EventQueue(Generic[EventT]):
    """What waits for one reader."""

    def __init__(self, wanted: asyncio.Event, limits: QueueLimits) -> None:
        """`wanted` is set when the reader has taken all there was and waits for more."""
        self._wanted = wanted
        self._limits = limits
        self._events: deque[tuple[EventT, int]] = deque()
        """With their sizes."""
        self._size = 0
        self._is_over = False
        self._end: Exception | None = None
        self._news = asyncio.Event()

    @property
    def is_empty(self) -> bool:
        """Whether the reader has taken whatever came."""
        return not self._events

    async def next(self) -> EventT | None:
        """Return the next event, or None after the last one. Raises what the stream ended with."""
        while not self._events:
            if self._is_over:
                if self._end is not None:
                    raise self._end.with_traceback(None)
                return None
            self._news.clear()
            self._wanted.set()
            await self._news.wait()
        event, size = self._events.popleft()
        self._size -= size
        return event

    def give(self, event: EventT, size: int) -> bool:
        """Keep an event for the reader; False where too many wait already, and it is told so."""
        if self._events and (len(self._events) >= self._limits.events or self._size + size > self._limits.size):
            self._events.clear()  # what nobody takes is not kept
            self.end(SubgraphFailure("SLOW_CONSUMER", "too far behind", is_sent=True, trips_breaker=False))
            return False
        self._events.append((event, size))
        self._size += size
        self._news.set()
        return True

    def end(self, why: Exception | None) -> None:
        """Let the reader know that nothing comes after what waits; None where the stream is complete."""
        if not self._is_over:
            self._is_over, self._end = True, why
            self._news.set()


async def taken(queues: Iterable[EventQueue[EventT]], wanted: asyncio.Event) -> None:
    """Wait until one of the readers has taken all there was. `queues` is looked through again as they come and go."""
    while all(not each.is_empty for each in queues):
        wanted.clear()
        await wanted.wait()
