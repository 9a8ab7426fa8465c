"""How many wait for one subgraph, and how long: not all that the gateway works on may wait for the one that is slow."""

from __future__ import annotations

from time import monotonic

from gateway.execution.ports import SubgraphFailure

PATIENCE_S = 1.0
"""How long those wait who come on top: bursts that a subgraph which is well can take are over by then."""
RETRY_AFTER_MS = 1_000


class Crowd:
    """Those who wait for one subgraph: for a place, or for what others ask it already.

    `most` may wait as long as their deadlines allow. Who comes on top waits for a moment; and when somebody did so in
    vain, all who come on top are refused at once, until waiting has been worth it again.
    """

    __slots__ = ("_is_stuck", "_most", "now")

    def __init__(self, *, most: int = 125) -> None:
        self._most = most
        self.now = 0
        """How many wait."""
        self._is_stuck = False

    @property
    def has_room(self) -> bool:
        """Whether another one may wait."""
        return self.now < self._most or not self._is_stuck

    def enter(self, deadline: float) -> float:
        """Take one more in; return until when he may wait, by the event loop's clock.

        Raises SubgraphFailure with SYSTEM_CIRCUIT_OPEN.
        """
        if not self.has_room:
            raise _too_many()
        is_on_top = self.now >= self._most
        self.now += 1
        return min(deadline, monotonic() + PATIENCE_S) if is_on_top else deadline

    def leave(self) -> None:
        """Let one go who waits no more, whyever."""
        self.now -= 1
        if not self.now:
            self._is_stuck = False

    def was_served(self) -> None:
        """Note that somebody got what he waited for."""
        self._is_stuck = False

    def in_vain(self, until: float, deadline: float) -> SubgraphFailure | None:
        """Note that somebody waited until then; return his failure, None where that was his own deadline."""
        if until >= deadline:
            return None
        self._is_stuck = True
        return _too_many()


def _too_many() -> SubgraphFailure:
    return SubgraphFailure(
        "SYSTEM_CIRCUIT_OPEN",
        "too many wait for it",
        is_sent=False,
        trips_breaker=False,
        retry_after_ms=RETRY_AFTER_MS,
    )
