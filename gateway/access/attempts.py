"""Who failed to log in lately, so that guessing ends soon: counted by where requests come from, and by what they guess.

A source, or the beginning of a service key, that failed too often is refused before its credentials are looked at.
Credentials that are known to be good are not held up. Issuers are not counted: anybody can write an issuer's name on a token,
and so could lock its callers out.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gateway.errors import GatewayError

SOURCE = ":source"
"""Where a request comes from, among its headers: no header that a client sends can have this name."""

UNKNOWN = "?"
"""The source, where a request is first tried in a way that doesn't know it: it comes again in one that does."""

_MOST_KEPT = 10_000


@dataclass(slots=True)
class Attempts:
    """Failed attempts of this process's callers. Each is forgotten at the rate that is allowed."""

    per_min: int | None
    """How many a source may make; None: any number."""
    clock: Callable[[], float] = time.monotonic
    _failed: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)
    """Who → failures that count, and when that was so; who failed last is last."""

    @property
    def is_wary(self) -> bool:
        """Whether anybody has failed so often that it matters who asks."""
        return self.per_min is not None and any(self._now(who) + 1 > self.per_min for who in self._failed)

    def check(self, who: Sequence[str]) -> None:
        """Raise GatewayError with REQUEST_RATE_LIMITED if one of these has failed too often."""
        if self.per_min is None:
            return
        most = max((self._now(each) for each in who), default=0.0)
        if most + 1 > self.per_min:
            wait_s = (most - self.per_min + 1) * 60 / self.per_min
            raise GatewayError(
                "REQUEST_RATE_LIMITED", "Too many attempts with bad credentials.", retry_after_ms=int(wait_s * 1000)
            )

    def note(self, who: Sequence[str]) -> None:
        """Count a failure of these."""
        if self.per_min is None:
            return
        for each in who:
            self._failed[each] = (self._now(each) + 1, self.clock())
            self._failed.move_to_end(each)
        while len(self._failed) > _MOST_KEPT:
            self._failed.popitem(last=False)

    def _now(self, who: str) -> float:
        failures, at = self._failed.get(who, (0.0, 0.0))
        return max(0.0, failures - (self.clock() - at) * (self.per_min or 0) / 60)
