"""Loops that run beside a subgraph's requests: delivery, polling, synchronisation."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

_log = logging.getLogger(__name__)
_RESTART_S = 1.0


@asynccontextmanager
async def background(*loops: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Run the loops within the block and stop them at its end. One that fails is logged and begun again a second later."""
    tasks = [asyncio.create_task(_kept_alive(loop)) for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _kept_alive(loop: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await loop()
            return
        except Exception:  # noqa: BLE001 - the edge of a background loop: logged, and tried again
            _log.exception("A background loop failed; it begins again.")
            await asyncio.sleep(_RESTART_S)
