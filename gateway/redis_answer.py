"""Awaits Redis's asynchronous client, which now and then loses its caller's cancellation or takes it for a lost connection.

Where a command has a time limit the client sends it within `asyncio.wait_for`, and that of Python 3.11 drops a cancellation
that comes as the command is sent. https://github.com/python/cpython/issues/86296
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

T = TypeVar("T")


async def answered(reply: Awaitable[T]) -> T:
    """Return the answer on a connection that nobody else uses. Raises CancelledError wherever the task was cancelled meanwhile."""
    try:
        return await reply
    finally:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError


async def undisturbed(command: Awaitable[T]) -> T:
    """Return the answer on a connection of a pool. A caller who is cancelled goes at once, and the command ends by itself.

    So nobody is given a connection with another one's reply on it, and nobody's leaving looks like a failure of Redis.
    """
    asked = asyncio.ensure_future(command)
    asked.add_done_callback(_take_note)
    return await asyncio.shield(asked)


def _take_note(asked: asyncio.Future[Any]) -> None:
    """Let a failure that nobody waits for any more be none."""
    if not asked.cancelled():
        asked.exception()
