"""How many operations were answered, how, and how long each took; and what planning them took.

Two figures for each request, beside the request's own work: so these are plain counts, and metrics only once somebody asks.
"""

from __future__ import annotations

from gateway.upstream.timing import Timing


class RequestMeter:
    """Measures the operations of one process, over all its supergraphs. `note` is called on the event loop only."""

    def __init__(self) -> None:
        self.whole: dict[str, Timing] = {kind: Timing() for kind in ("query", "mutation", "subscription")}
        """Kind of operation → answers without errors; of subscriptions: the time until the stream began."""
        self.partial: dict[str, Timing] = {kind: Timing() for kind in self.whole}
        """Kind of operation → answers with errors, data beside them or not."""
        self.planning = Timing()
        """Documents that were planned, or refused, since nobody had asked for them lately. Written by the planning thread."""

    def note(self, kind: str, seconds: float, *, is_whole: bool) -> None:
        """Count an operation that was carried out: refused ones are counted by their code (`LogCounts`)."""
        (self.whole if is_whole else self.partial)[kind].note(seconds)
