"""Leave a subgraph that fails repeatedly alone for a while, so that nobody waits for it and it can recover."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from gateway.execution.ports import (
    RequestContext,
    SourceEvent,
    SubgraphAnswer,
    SubgraphClient,
    SubgraphFailure,
    SubgraphRequest,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerLimits:
    """When a breaker opens, and for how long."""

    ratio: float = 0.5
    """Share of failures at which it opens."""
    least: int = 20
    """Fetches within the window below which it never opens."""
    window_s: float = 10.0
    open_s: float = 5.0


@dataclass(slots=True)
class _Slice:
    """The fetches that ended within a tenth of the window."""

    until: float
    fetched: int = 0
    failures: int = 0


class CircuitBreaker:
    """Closed: fetches pass. Open: they fail at once. Half open: one passes, and its end decides.

    Only failures that say so trip it; a fetch that its client cancelled counts as nothing.
    """

    def __init__(self, inner: SubgraphClient, limits: BreakerLimits | None = None) -> None:
        self._inner = inner
        self._limits = limits or BreakerLimits()
        self._ends: deque[_Slice] = deque()
        self._fetched = 0
        self._failures = 0
        self.open_until: float | None = None
        """Until when fetches are refused; None while the breaker is closed."""
        self._is_probing = False

    @property
    def is_open(self) -> bool:
        """Whether fetches are refused, save for a probe."""
        return self.open_until is not None

    @property
    def fetched(self) -> int:
        """Fetches that ended within the window, as far as it was looked at."""
        return self._fetched

    @property
    def failures(self) -> int:
        """Those of them that failed."""
        return self._failures

    async def fetch(self, request: SubgraphRequest, context: RequestContext) -> SubgraphAnswer:
        """Fetch; raises SubgraphFailure with SYSTEM_CIRCUIT_OPEN while open."""
        clock = asyncio.get_running_loop().time
        is_probe = self._admit(clock())
        try:
            answer = await self._inner.fetch(request, context)
        except SubgraphFailure as failed:
            self.note(clock(), is_failure=failed.trips_breaker, is_probe=is_probe)
            raise
        finally:
            if is_probe:
                self._is_probing = False
        self.note(clock(), is_failure=False, is_probe=is_probe)
        return answer

    def _admit(self, now: float) -> bool:
        """Let a fetch pass or refuse it; True if it is the probe of a half-open breaker."""
        if self.open_until is None:
            return False
        if now < self.open_until or self._is_probing:
            left_ms = max(100, int((self.open_until - now) * 1000))
            raise SubgraphFailure(
                "SYSTEM_CIRCUIT_OPEN", "breaker open", is_sent=False, trips_breaker=False, retry_after_ms=left_ms
            )
        self._is_probing = True
        return True

    def note(self, now: float, *, is_failure: bool, is_probe: bool = False) -> None:
        """Note how a fetch ended, at a time of the event loop's clock."""
        if is_probe:
            self.open_until = now + self._limits.open_s if is_failure else None
            return
        ends = self._ends
        if not ends or now >= ends[-1].until:
            while ends and ends[0].until <= now - self._limits.window_s:
                old = ends.popleft()
                self._fetched -= old.fetched
                self._failures -= old.failures
            ends.append(_Slice(now + self._limits.window_s / 10))
        ends[-1].fetched += 1
        self._fetched += 1
        if not is_failure:
            return
        ends[-1].failures += 1
        self._failures += 1
        if (
            self.open_until is None
            and self._fetched >= self._limits.least
            and self._failures >= self._limits.ratio * self._fetched
        ):
            self.open_until = now + self._limits.open_s
            ends.clear()
            self._fetched = self._failures = 0

    def subscribe(self, request: SubgraphRequest, context: RequestContext) -> AsyncGenerator[SourceEvent, None]:
        """Streams pass."""
        return self._inner.subscribe(request, context)

    async def aclose(self) -> None:
        """Close the client inside."""
        await self._inner.aclose()
