"""Second call: choose one path for each leaf, so that together they need the fewest requests."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.federation.planner.budget import Budget
from gateway.federation.planner.path import FetchKey, Leaf, Path

_MAX_COMBINATIONS = 2_000
"""Combinations tried before the best one so far is taken."""


def best_paths(leaves: Sequence[Leaf], budget: Budget) -> tuple[Path, ...]:
    """Return one path for each leaf, in order.

    A leaf that can be reached by requests already needed costs nothing, so those are settled first; what is left is
    searched, cheapest first, with everything worse than the best combination so far cut off.
    """
    chosen: dict[int, Path] = {}
    needed: set[FetchKey] = set()
    for index, leaf in enumerate(leaves):
        if len(leaf.candidates) == 1:
            chosen[index] = leaf.candidates[0]
            needed |= leaf.candidates[0].fetches
    undecided = [index for index in range(len(leaves)) if index not in chosen]
    undecided = _settle_free(leaves, undecided, needed, chosen)
    if undecided:
        search = _Search([leaves[index].candidates for index in undecided], needed, budget)
        chosen.update(zip(undecided, search.run(), strict=True))
    return tuple(chosen[index] for index in range(len(leaves)))


def _settle_free(
    leaves: Sequence[Leaf], undecided: list[int], needed: set[FetchKey], chosen: dict[int, Path]
) -> list[int]:
    remaining: list[int] = []
    for index in undecided:
        free = [path for path in leaves[index].candidates if path.fetches <= needed]
        if free:
            chosen[index] = min(free, key=lambda path: path.depth)
        else:
            remaining.append(index)
    return remaining


class _Search:
    """Branch and bound over the candidates of the leaves that are left."""

    def __init__(self, candidates: list[tuple[Path, ...]], needed: set[FetchKey], budget: Budget) -> None:
        self._candidates = candidates
        self._needed = frozenset(needed)
        self._budget = budget
        self._best: tuple[Path, ...] | None = None
        self._best_cost: tuple[int, int] = (0, 0)
        self._tried = 0

    def run(self) -> tuple[Path, ...]:
        self._visit(0, self._needed, 0, ())
        assert self._best is not None
        return self._best

    def _visit(self, index: int, needed: frozenset[FetchKey], depth: int, taken: tuple[Path, ...]) -> None:
        self._budget.spend()
        self._tried += 1
        if self._best is not None and ((len(needed), depth) >= self._best_cost or self._tried > _MAX_COMBINATIONS):
            return
        # Paths share their prefixes' requests, so one choice often makes the next ones free: run through those at once.
        while index < len(self._candidates):
            free = [path for path in self._candidates[index] if path.fetches <= needed]
            if not free:
                break
            path = min(free, key=lambda item: item.depth)
            taken += (path,)
            depth += path.depth
            index += 1
        if index == len(self._candidates):
            if self._best is None or (len(needed), depth) < self._best_cost:
                self._best, self._best_cost = taken, (len(needed), depth)
            return
        ranked = sorted(self._candidates[index], key=lambda path: (len(path.fetches - needed), path.depth))
        for path in ranked:
            self._visit(index + 1, needed | path.fetches, depth + path.depth, (*taken, path))
