"""How long something took, counted by size: a histogram that costs a fraction of what it measures.

Each request and each fetch is counted, so this is a list of numbers; whoever asks for the metrics makes them of it.
"""

from __future__ import annotations

from bisect import bisect_left

BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the sizes; the last size has none."""


class Timing:
    """Counts durations. Written by one thread."""

    __slots__ = ("counts", "total_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        """How many were of each size: above the bound before, up to the size's own."""
        self.total_s = 0.0

    def note(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.total_s += seconds
