"""When each step runs: as early as it can, or later where that saves a request.

The rule. Steps into one subgraph at one stage are one request. A step may be put off to a later stage if a request goes
to its subgraph there anyway and no stage is added to the operation: its objects then wait for systems that they don't
need. They never come to *depend* on them, since each keeps an input of its own (`merge_entries` joins only what needs
the same systems): where such a system fails, the request goes out with what the others gave.

    topProducts ── inventory(inStock)            topProducts ─────────────────┐
        └─ reviews ── products ── inventory   →      └─ reviews ── products ── inventory
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.federation.planner.step import Step

Stages = dict[Step, int]

_MOST_WAITING = 256
"""Operations of more steps than this run each as early as it can: looking for better would no longer be cheap."""

_MOST_TRIED = 12
"""Subgraphs tried one by one before all are tried together."""


def stages_of(steps: Sequence[Step]) -> Stages:
    """Return how many steps have to run before each one, at least; in an order that has parents first."""
    inside = set(steps)
    missing = {step: len(step.parents & inside) for step in steps}
    children = _children(steps)
    stages: Stages = {}
    pending = [step for step in steps if not missing[step]]
    for step in pending:
        stages[step] = max((stages[parent] + 1 for parent in step.parents if parent in inside), default=0)
        for child in children.get(step, ()):
            missing[child] -= 1
            if not missing[child]:
                pending.append(child)
    return stages


def earliest_stages(steps: list[Step]) -> list[Step]:
    """Let each step run as early as it can."""
    for step, stage in stages_of(steps).items():
        step.stage = stage
    return steps


def settle_stages(steps: list[Step]) -> list[Step]:
    """Give each step the stage at which it runs: the fewest requests first, then the least waiting."""
    earliest = stages_of(steps)
    best = earliest
    if len(steps) <= _MOST_WAITING:
        plan = _Stages(earliest)
        cost = plan.cost(best)
        patient: frozenset[str] = frozenset()
        subgraphs = plan.divided()
        for more in (*([name] for name in subgraphs[:_MOST_TRIED]), subgraphs):
            tried = plan.settle(patient.union(more))
            if plan.cost(tried) < cost:
                patient, best, cost = patient.union(more), tried, plan.cost(tried)
    for step, stage in best.items():
        step.stage = stage
    return steps


def can_share(step: Step) -> bool:
    """Whether a step may share its request: ancestors' arguments are one set of values for each, and so are root fields."""
    return step.entry is not None and not step.entry.contexts and not step.entry.is_root


class _Stages:
    """The search: which steps wait for a later request to their subgraph."""

    def __init__(self, earliest: Stages) -> None:
        self._earliest = earliest
        self._order = list(earliest)
        self._depth = max(earliest.values(), default=0) + 1
        self._latest: Stages = {}
        self._below: dict[Step, frozenset[Step]] = {}
        children = _children(self._order)
        for step in reversed(self._order):
            following = children.get(step, [])
            self._latest[step] = min((self._latest[child] - 1 for child in following), default=self._depth - 1)
            self._below[step] = frozenset(following).union(*(self._below[child] for child in following))

    def divided(self) -> list[str]:
        """Return the subgraphs that get requests at several stages."""
        found: dict[str, set[int]] = {}
        for step, stage in self._earliest.items():
            if can_share(step):
                found.setdefault(step.subgraph, set()).add(stage)
        return sorted(name for name, stages in found.items() if len(stages) > 1)

    def cost(self, stages: Stages) -> tuple[int, int]:
        """Return how many requests there are, and how long steps wait altogether."""
        requests = {(step.subgraph, stage) if can_share(step) else step for step, stage in stages.items()}
        return len(requests), sum(stages.values())

    def settle(self, patient: frozenset[str]) -> Stages:
        """Place each step, stage by stage; in patient subgraphs a request waits while others could join it."""
        stages: Stages = {step: 0 for step in self._order if step.entry is None}
        waiting = [step for step in self._order if step.entry is not None]
        for stage in range(self._depth):
            ready: dict[str, list[Step]] = {}
            for step in waiting:
                if self._is_ready(step, stage, stages):
                    ready.setdefault(step.subgraph, []).append(step)
            for subgraph, steps in ready.items():
                if subgraph in patient:
                    others = [step for step in waiting if step.subgraph == subgraph and step not in steps]
                    if all(self._can_wait(step, stage, others) for step in steps):
                        continue
                stages.update((step, stage) for step in steps)
            waiting = [step for step in waiting if step not in stages]
        return self._hurry(stages)

    def _is_ready(self, step: Step, stage: int, stages: Stages) -> bool:
        return all(stages.get(parent, stage if parent in self._earliest else -1) < stage for parent in step.parents)

    def _can_wait(self, step: Step, stage: int, others: Sequence[Step]) -> bool:
        latest = self._latest[step]
        return (
            can_share(step)
            and latest > stage
            and any(
                self._earliest[other] <= latest and can_share(other) and other not in self._below[step]
                for other in others
            )
        )

    def _hurry(self, stages: Stages) -> Stages:
        """Run each request as early as its steps allow: some waited for nothing."""
        groups: dict[tuple[str, int] | Step, list[Step]] = {}
        for step, stage in sorted(stages.items(), key=lambda item: item[1]):
            groups.setdefault((step.subgraph, stage) if can_share(step) else step, []).append(step)
        found: Stages = {}
        for steps in groups.values():
            stage = max((found[parent] + 1 for step in steps for parent in step.parents if parent in found), default=0)
            found.update((step, stage) for step in steps)
        return found


def _children(steps: Sequence[Step]) -> Mapping[Step, list[Step]]:
    children: dict[Step, list[Step]] = {}
    for step in steps:
        for parent in step.parents:
            children.setdefault(parent, []).append(step)
    return children
