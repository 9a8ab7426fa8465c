"""Equal subscriptions are one at the subgraph. Only callers with the same rights share it, and each has a queue of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Hashable
from contextlib import aclosing
from functools import partial
from itertools import count

import orjson

from gateway.execution.merge import copy_json
from gateway.execution.ports import (
    Announced,
    SourceEvent,
    SubgraphAnswer,
    SubgraphFailure,
    SubgraphRequest,
    cursor_of,
)
from gateway.upstream.event_queue import EventQueue, QueueLimits, taken

_NUMBERS = count()

Begin = Callable[[], AsyncGenerator[SourceEvent, None]]
"""Begins a subscription at the subgraph."""


class SharedStreams:
    """The subscriptions that are open at one subgraph."""

    def __init__(self, limits: QueueLimits | None = None) -> None:
        self._streams: dict[Hashable, _Stream] = {}
        self._limits = limits or QueueLimits()

    async def subscribe(self, key: Hashable, begin: Begin) -> AsyncGenerator[SourceEvent, None]:
        """Yield the events of the subscription that is open under a key, from here on, or of the one that this begins.

        The last subscriber to leave ends it. Raises SubgraphFailure when it can't start or breaks, each subscriber.
        """
        stream = self._streams.get(key)
        if stream is None:
            stream = self._streams[key] = _Stream(begin, partial(self._forget, key))
        queue = stream.join(self._limits)
        try:
            while (event := await queue.next()) is not None:
                yield event
        finally:
            await stream.leave(queue)

    async def aclose(self) -> None:
        """End what is open."""
        for stream in tuple(self._streams.values()):
            await stream.end()

    def _forget(self, key: Hashable, stream: _Stream) -> None:
        if self._streams.get(key) is stream:
            del self._streams[key]


class _Stream:
    """One subscription at the subgraph."""

    def __init__(self, begin: Begin, forget: Callable[[_Stream], None]) -> None:
        self._queues: set[EventQueue[SourceEvent]] = set()
        self._wanted = asyncio.Event()
        self._forget = forget
        self._number = next(_NUMBERS)
        self._announced = 0
        self._task = asyncio.create_task(self._run(begin), name="shared subscription")

    def join(self, limits: QueueLimits) -> EventQueue[SourceEvent]:
        """Return where what comes from now on is put."""
        queue: EventQueue[SourceEvent] = EventQueue(self._wanted, limits)
        self._queues.add(queue)
        return queue

    async def leave(self, queue: EventQueue[SourceEvent]) -> None:
        """Let go of a subscriber; with the last one the subscription ends."""
        self._queues.discard(queue)
        if not self._queues:
            await self.end()

    async def end(self) -> None:
        """End the subscription; nobody joins it from here on."""
        self._forget(self)
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self, begin: Begin) -> None:
        end: Exception | None = SubgraphFailure("SYSTEM_UNAVAILABLE", "the client was closed", is_sent=True)
        try:
            async with aclosing(begin()) as source:
                async for event in source:
                    self._give(event)
                    await taken(self._queues, self._wanted)
            end = None
        except Exception as error:  # noqa: BLE001 - expected or a bug, each subscriber is told
            end = error
        finally:
            self._forget(self)
            for queue in self._queues:
                queue.end(end)

    def _give(self, event: SourceEvent) -> None:
        size = 0
        if isinstance(event, SubgraphAnswer):
            size = len(event.body) if event.body is not None else 0
            if len(self._queues) > 1:
                event = self._announce(event)
        # In place: whoever waits in `taken` looks at this set.
        self._queues.difference_update([queue for queue in self._queues if not queue.give(event, size)])

    def _announce(self, answer: SubgraphAnswer) -> Announced:
        """Return an event of which each subscriber takes a copy, or those with equal answers one for all."""
        self._announced += 1
        kept = answer if answer.body is None else answer.body  # where there are bytes, no values are kept
        key = ("shared", self._number, self._announced)
        return Announced(key, cursor_of(answer.value), partial(_copied, kept))


async def _copied(kept: SubgraphAnswer | bytes, _request: SubgraphRequest) -> SubgraphAnswer:
    return SubgraphAnswer(orjson.loads(kept) if isinstance(kept, bytes) else copy_json(kept.value))
