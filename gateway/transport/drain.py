"""Stopping without losing anything: no new work, and long-lived answers told to move elsewhere."""

from __future__ import annotations

import asyncio

from gateway.errors import GatewayError


class Drain:
    """Whether this process is stopping. One per process, shared by all transports."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def begin(self) -> None:
        """Refuse and end whatever is long-lived. Single requests go on, until the server has none and no connections."""
        self._event.set()

    async def begun(self) -> None:
        """Wait until the process begins to stop."""
        await self._event.wait()

    def check(self) -> None:
        """Raise `GatewayError` with SHUTTING_DOWN once the process is stopping: for what would outlive it."""
        if self._event.is_set():
            raise GatewayError("SHUTTING_DOWN", retry_after_ms=1_000, headers={"Connection": "close"})
