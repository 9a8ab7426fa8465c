"""Stopping without losing anything: no new work, and long-lived answers told to move elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.errors import GatewayError


class Drain:
    """Whether this process is stopping. One per process, shared by all transports."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._watching: set[Callable[[], None]] = set()

    def begin(self) -> None:
        """Refuse and end whatever is long-lived. Single requests go on, until the server has none and no connections."""
        self._event.set()
        for tell in tuple(self._watching):
            tell()

    def watch(self, tell: Callable[[], None]) -> Callable[[], None]:
        """Call `tell` once the process begins to stop, soon if it has; returns what ends that."""
        self._watching.add(tell)
        if self._event.is_set():
            asyncio.get_running_loop().call_soon(lambda: tell() if tell in self._watching else None)
        return lambda: self._watching.discard(tell)

    async def begun(self) -> None:
        """Wait until the process begins to stop."""
        await self._event.wait()

    def check(self) -> None:
        """Raise `GatewayError` with SHUTTING_DOWN once the process is stopping: for what would outlive it."""
        if self._event.is_set():
            raise GatewayError("SHUTTING_DOWN", retry_after_ms=1_000, headers={"Connection": "close"})
