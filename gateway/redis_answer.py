"""Awaits Redis's asynchronous client, which now and then loses its caller's cancellation or takes it for a lost connection.

Where a command has a time limit the client sends it within `asyncio.wait_for`, and that of Python 3.11 drops a cancellation
that comes as the command is sent. https://github.com/python/cpython/issues/86296
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

T = TypeVar("T")

_LAST_S = 0.3
"""What a command that nobody waits for gets when the process stops."""


async def answered(reply: Awaitable[T]) -> T:
    """Return the answer on a connection that nobody else uses. Raises CancelledError wherever the task was cancelled meanwhile."""
    try:
        return await reply
    finally:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError


class Undisturbed:
    """Commands on connections of a pool. A caller who is cancelled goes at once, and the command ends by itself.

    So nobody is given a connection with another one's reply on it, and nobody's leaving looks like a failure of Redis.
    """

    def __init__(self) -> None:
        self._running: set[asyncio.Future[Any]] = set()

    async def __call__(self, command: Awaitable[T]) -> T:
        """Return the answer, or raise what the client raises."""
        asked = asyncio.ensure_future(command)
        self._running.add(asked)
        asked.add_done_callback(self._end)
        return await asyncio.shield(asked)

    async def aclose(self) -> None:
        """End what still runs, before its pool is closed.

        A command whose connection is taken away would open another one, which nobody closes.
        """
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=_LAST_S)
            for each in late:
                each.cancel()
            if late:
                await asyncio.wait(late, timeout=_LAST_S)

    def _end(self, asked: asyncio.Future[Any]) -> None:
        self._running.discard(asked)
        if not asked.cancelled():
            asked.exception()  # a failure that nobody waits for any more is none
