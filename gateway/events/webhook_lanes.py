"""The events of one webhook on their way: those of one subject in order, and no subject waits for another one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from gateway.events.consumers import Consumer
from gateway.events.event import RecordedEvent

MOST_UNDER_WAY = 500
"""Events taken from the log and not dealt with: while the receiver is away, no more are taken."""


class Lanes:
    """A lane for each subject that has events under way, worked off by a task of its own.

    An event is acknowledged once it and all that were taken before it are dealt with: after a crash some are delivered
    again, under the same id, and none is left out.
    """

    def __init__(
        self, consumer: Consumer, deliver: Callable[[RecordedEvent], Awaitable[None]], group: asyncio.TaskGroup
    ) -> None:
        """`deliver` returns once an event is dealt with; `group` has the lanes' tasks."""
        self._consumer = consumer
        self._deliver = deliver
        self._group = group
        self._lanes: dict[str, deque[RecordedEvent]] = {}
        self._under_way: dict[int, bool] = {}
        """Position to whether it is dealt with, in the order of the log."""
        self._settling = asyncio.Lock()
        self._moved = asyncio.Event()

    async def room(self) -> None:
        """Return once more events may be taken."""
        while len(self._under_way) >= MOST_UNDER_WAY:
            self._moved.clear()
            await self._moved.wait()

    def add(self, recorded: RecordedEvent) -> None:
        """Deliver an event after those of its subject."""
        self._under_way[recorded.position] = False
        subject = recorded.event.subject
        lane = self._lanes.get(subject)
        if lane is None:
            self._lanes[subject] = deque([recorded])
            self._group.create_task(self._work_off(subject))
        else:
            lane.append(recorded)

    async def pass_by(self, recorded: RecordedEvent) -> None:
        """Note an event that the receiver does not want."""
        self._under_way[recorded.position] = False
        await self._settle(recorded.position)

    async def _work_off(self, subject: str) -> None:
        lane = self._lanes[subject]
        while lane:
            await self._deliver(lane[0])
            await self._settle(lane.popleft().position)
        del self._lanes[subject]

    async def _settle(self, position: int) -> None:
        self._under_way[position] = True
        async with self._settling:
            settled = []
            for each, is_settled in self._under_way.items():
                if not is_settled:
                    break
                settled.append(each)
            for each in settled:
                del self._under_way[each]
            if settled:
                await self._consumer.acknowledge(*settled)
        self._moved.set()
