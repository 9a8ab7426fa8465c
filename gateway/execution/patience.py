"""How long runs of a plan wait for a slow fetch: one timer for all of them, since one for each costs as much as a fetch's bytes."""

from __future__ import annotations

import asyncio
from time import monotonic  # event loops' clock
from typing import Protocol

from gateway.execution.early import PATIENCE


class Waits(Protocol):
    """Whoever waits."""

    def lose_patience(self) -> None:
        """Go on without what is slow. Raises nothing."""


class Patience:
    """Tells those who wait when they have waited long enough. For one event loop."""

    __slots__ = ("_looks_at", "_timer", "_until")

    def __init__(self) -> None:
        self._until: dict[Waits, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._looks_at = float("inf")
        """When the timer goes off: no later than anybody's patience ends."""

    def begin(self, who: Waits, deadline: float) -> None:
        """Let somebody who has to be done by a time wait for a share of what is left, from now on."""
        now = monotonic()
        until = now + max(0.0, deadline - now) * PATIENCE
        self._until[who] = until
        if not now <= self._looks_at <= until:
            self._set_timer()

    def end(self, who: Waits) -> None:
        """Note that somebody is done, whether or not they waited."""
        self._until.pop(who, None)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._looks_at = min(self._until.values())
        self._timer = asyncio.get_running_loop().call_at(self._looks_at, self._look)

    def _look(self) -> None:
        self._timer, self._looks_at = None, float("inf")
        now = monotonic()
        for who in [each for each, until in self._until.items() if until <= now]:
            del self._until[who]
            who.lose_patience()
        if self._until:
            self._set_timer()
