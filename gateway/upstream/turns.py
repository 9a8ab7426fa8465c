"""Whose turn it is when there is more to do than time: requests under way go first, new ones wait.

A processor that works on fifty answers at once keeps none of them in its cache, and each costs up to twice as much as it
would alone. So in each round of the event loop only as many new requests start as are a moment's work, after all that came
in the round before was worked on: one where each is much work, several where it is little and a round of its own would cost
as much again. Where there is time, rounds follow each other at once and nobody waits; under load, requests are finished
sooner, in the order they came, and few are half done. None waits for ever: what is under way gets less.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import thread_time

_MOMENT_S = 0.000_3
"""The work of the requests that start in one round, as far as their number can be chosen."""
_COUNTED = 64
"""Requests that start between two looks at what they cost: asking the system for it costs something as well."""


class Turns:
    """Lets new requests start, few at a time. One for each event loop."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._most = 1
        """Requests that may start in one round."""
        self._uncounted = 0
        """Requests that started since the last look at what they cost, all that was done meanwhile included."""
        self._looked_at_s = thread_time()

    def call(self, start: Callable[[], None]) -> None:
        """Call a function when a new request may start: in its turn, never at once. It raises nothing."""
        self._waiting.append(start)
        if len(self._waiting) == 1:
            if self._loop is None:
                self._loop = asyncio.get_running_loop()
            self._loop.call_soon(self._next)

    async def start(self) -> None:
        """Wait until a new request may start."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def start() -> None:
            if not turn.done():
                turn.set_result(None)

        self.call(start)
        await turn

    def _next(self) -> None:
        waiting = self._waiting
        begun = min(len(waiting), self._most)
        self._uncounted += begun
        if self._uncounted >= _COUNTED:
            self._look()
        try:
            for _ in range(begun):
                try:
                    waiting[0]()
                finally:
                    waiting.popleft()
        finally:
            if waiting and self._loop is not None:
                self._loop.call_soon(self._next)

    def _look(self) -> None:
        """Choose how many are a moment's work."""
        now_s = thread_time()
        work_s = (now_s - self._looked_at_s) / self._uncounted
        self._most = max(1, int(_MOMENT_S / max(work_s, _MOMENT_S / _COUNTED)))
        self._looked_at_s, self._uncounted = now_s, 0
