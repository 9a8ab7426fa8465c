"""Leave a subgraph that fails repeatedly alone for a while, so that nobody waits for it and it can recover."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from gateway.execution.ports import (
    RequestContext,
    SourceEvent,
    SubgraphAnswer,
    SubgraphClient,
    SubgraphFailure,
    SubgraphRequest,
)

_OURS = frozenset({"SYSTEM_TIMEOUT", "OVERLOADED"})


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

    Only failures that say so trip it. A fetch that its client cancelled, or whose failure says nothing of the subgraph,
    counts as nothing; as a probe it decides nothing, and the next fetch is one.
    """

    def __init__(
        self,
        inner: SubgraphClient,
        limits: BreakerLimits | None = None,
        *,
        opened: Callable[[int], None] = lambda _: None,
    ) -> None:
        """`opened` is told when it opens, for how many milliseconds."""
        self._inner = inner
        self._limits = limits or BreakerLimits()
        self._opened = opened
        self._last = _Slice(float("-inf"))
        self._ends: deque[_Slice] = deque([self._last])
        """The slices of the window, the last one last."""
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
        return sum(each.fetched for each in self._ends)

    @property
    def failures(self) -> int:
        """Those of them that failed."""
        return sum(each.failures for each in self._ends)

    async def fetch(self, request: SubgraphRequest, context: RequestContext) -> SubgraphAnswer:
        """Fetch; raises SubgraphFailure with SYSTEM_CIRCUIT_OPEN while open."""
        clock = asyncio.get_running_loop().time
        is_probe = self._admit(clock())
        try:
            answer = await self._inner.fetch(request, context)
        except SubgraphFailure as failed:
            if not says_nothing(failed):
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
        """Note how a fetch ended that says something of the subgraph, at a time of the event loop's clock."""
        if is_probe:
            if is_failure:
                self._open(now)
            else:
                self.open_until = None
            return
        self.note_success(now)
        if not is_failure:
            return
        self._last.failures += 1
        fetched, failures = self.fetched, self.failures
        if self.open_until is None and fetched >= self._limits.least and failures >= self._limits.ratio * fetched:
            self._ends.clear()
            self._begin_slice(now)
            self._open(now)

    def _open(self, now: float) -> None:
        self.open_until = now + self._limits.open_s
        self._opened(int(self._limits.open_s * 1000))

    def note_success(self, now: float) -> None:
        """Note that a fetch ended well that was no probe, as nearly all do."""
        if now >= self._last.until:
            self._begin_slice(now)
        self._last.fetched += 1

    def _begin_slice(self, now: float) -> None:
        while self._ends and self._ends[0].until <= now - self._limits.window_s:
            self._ends.popleft()
        self._last = _Slice(now + self._limits.window_s / 10)
        self._ends.append(self._last)

    def subscribe(self, request: SubgraphRequest, context: RequestContext) -> AsyncGenerator[SourceEvent, None]:
        """Streams pass."""
        return self._inner.subscribe(request, context)

    async def aclose(self) -> None:
        """Close the client inside."""
        await self._inner.aclose()


def says_nothing(failed: SubgraphFailure) -> bool:
    """Tell whether a failure is no sign that the subgraph is well, nor that it isn't.

    It was not asked, given too little time, or its answer was not read.
    """
    return not failed.trips_breaker and (not failed.is_sent or failed.code in _OURS)
