"""Readers that wait for new events, found by what they wait for, so that an event wakes only those who want it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.events.event import RecordedEvent
from gateway.events.log import EventFilter
from gateway.events.meter import EventMeter

_Topic = tuple[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    after: int
    wanted: EventFilter
    woken: asyncio.Future[int]


class Waiters:
    """The readers waiting on one log, indexed by one key value, else by type. Used on one event loop only."""

    def __init__(self, meter: EventMeter) -> None:
        self._meter = meter
        self._by_topic: defaultdict[_Topic, set[_Waiter]] = defaultdict(set)

    async def wait(self, after: int, wanted: EventFilter) -> int:
        """Return the position just before the first wanted event that is announced after `after`."""
        waiter = _Waiter(after, wanted, asyncio.get_running_loop().create_future())
        topics = _topics(wanted)
        for topic in topics:
            self._by_topic[topic].add(waiter)
        try:
            return await waiter.woken
        finally:
            for topic in topics:
                self._by_topic[topic].discard(waiter)
                if not self._by_topic[topic]:
                    del self._by_topic[topic]

    def announce(self, events: Iterable[RecordedEvent]) -> None:
        """Wake whoever wants one of these new events."""
        for recorded in events:
            self._meter.recorded(recorded)
            event = recorded.event
            for topic in (("", ""), ("type", event.type), *((f"key {name}", key) for name, key in event.keys.items())):
                for waiter in self._by_topic.get(topic, ()):
                    if not waiter.woken.done() and recorded.position > waiter.after and waiter.wanted.matches(event):
                        waiter.woken.set_result(recorded.position - 1)

    def wake_all(self) -> None:
        """Wake every reader, to look at the log again."""
        for waiters in self._by_topic.values():
            for waiter in waiters:
                if not waiter.woken.done():
                    waiter.woken.set_result(waiter.after)


def _topics(wanted: EventFilter) -> tuple[_Topic, ...]:
    """Return the narrowest index entries under which every wanted event is announced."""
    for name, values in wanted.keys.items():
        return tuple((f"key {name}", value) for value in values)
    if wanted.types is not None:
        return tuple(("type", name) for name in wanted.types)
    return (("", ""),)
