"""Tells how the systems do by asking the processes before them for their health."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import httpx2

from gateway.graph.context import SystemState, SystemStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbedSystem:
    """A system and where it can be asked."""

    name: str
    owner: str | None
    health_url: str | None
    """None for what lives in this process: it answers, so it is up."""


class ProbedSystems:
    """`SystemDirectory` over HTTP. An answer is believed for a moment, however many ask."""

    def __init__(
        self,
        systems: Sequence[ProbedSystem],
        client: httpx2.AsyncClient,
        *,
        timeout_s: float = 1.0,
        believed_s: float = 2.0,
    ) -> None:
        self._systems = systems
        self._client = client
        self._timeout_s = timeout_s
        self._believed_s = believed_s
        # Guards what follows: one probe answers everybody who asks meanwhile.
        self._lock = asyncio.Lock()
        self._known: tuple[SystemState, ...] = ()
        self._known_until = 0.0

    async def systems(self) -> Sequence[SystemState]:
        """Return all systems, in the order they are configured."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if now >= self._known_until:
                self._known = tuple(await asyncio.gather(*map(self._state, self._systems)))
                self._known_until = now + self._believed_s
            return self._known

    async def _state(self, system: ProbedSystem) -> SystemState:
        return SystemState(name=system.name, owner=system.owner, status=await self._status(system.health_url))

    async def _status(self, health_url: str | None) -> SystemStatus:
        if health_url is None:
            return SystemStatus.UP
        try:
            response = await self._client.get(health_url, timeout=self._timeout_s)
        except httpx2.TransportError:
            return SystemStatus.DOWN
        return SystemStatus.UP if response.is_success else SystemStatus.DEGRADED
