"""Whose turn it is when there is more to do than time: requests under way go first, new ones wait.

A processor that works on fifty answers at once keeps none of them in its cache, and each costs up to twice as much as it
would alone. So a new request starts when no subgraph's answer waits to be worked on. Where there is time, nobody waits;
under load, requests are finished sooner and fewer are half done. None waits for ever: what is under way gets less.
"""

from __future__ import annotations

import asyncio
from collections import deque


class Turns:
    """Lets new requests start one by one while no answer waits. One for each event loop."""

    def __init__(self) -> None:
        self._answers = 0
        """Answers that came and wait for their request to go on."""
        self._waiting: deque[asyncio.Future[None]] = deque()

    def answer_came(self) -> None:
        """Note that an answer is there."""
        self._answers += 1

    def answer_taken(self) -> None:
        """Note that its request goes on."""
        self._answers -= 1
        if not self._answers:
            self._wake_one()

    async def start(self) -> None:
        """Wait until a new request may start."""
        if self._answers or self._waiting:
            place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(place)
            try:
                await place
            finally:
                # Started or called off, it is the next one's turn.
                if place in self._waiting:
                    self._waiting.remove(place)
                elif not self._answers:
                    self._wake_one()

    def _wake_one(self) -> None:
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                return
