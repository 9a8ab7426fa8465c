"""Whose turn it is when there is more to do than time: requests under way go first, new ones wait.

A processor that works on fifty answers at once keeps none of them in its cache, and each costs up to twice as much as it
would alone. So one new request starts in each round of the event loop, after all that came in the round before was worked
on. Where there is time, rounds follow each other at once and nobody waits; under load, requests are finished sooner, in
the order they came, and few are half done. None waits for ever: what is under way gets less.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable


class Turns:
    """Lets new requests start one by one. One for each event loop."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None

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
        start = self._waiting[0]
        try:
            start()
        finally:
            self._waiting.popleft()
            if self._waiting and self._loop is not None:
                self._loop.call_soon(self._next)
