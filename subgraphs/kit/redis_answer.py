"""Awaits Redis's asynchronous client, which now and then takes its caller's cancellation for a lost connection.

A task whose cancellation is lost goes on for ever, and whoever stopped it waits for it as long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any


async def answered(reply: Awaitable[Any]) -> Any:
    """Return Redis's answer. Raises CancelledError, whatever the client made of it, where the task was cancelled meanwhile."""
    try:
        return await reply
    finally:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError
