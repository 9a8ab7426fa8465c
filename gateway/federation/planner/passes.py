"""The fetch graph's passes: each takes steps and returns as few or fewer. A tuple gives their order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from gateway.federation.planner.step import Entry, Step

Pass: TypeAlias = Callable[[list[Step]], list[Step]]


def merge_entries(steps: list[Step]) -> list[Step]:
    """Merge steps that enter the same objects in the same subgraph once the same answers are there.

    Two fields of `inventory.Product`, one of them with `@requires`, are one request if neither has to wait longer for
    it: equal parents, or the same stage after the same subgraphs.
    """
    stages = stages_of(steps)
    kept: list[Step] = []
    for step in sorted(steps, key=lambda item: (stages[item], item.id)):
        twin = next((other for other in kept if _are_mergeable(other, step, stages)), None)
        if twin is None:
            kept.append(step)
        else:
            _merge(twin, step, steps)
    return kept


def order_steps(steps: list[Step]) -> list[Step]:
    """Order steps so that each stands after all it waits for, and number them from 0."""
    stages = stages_of(steps)
    ordered = sorted(steps, key=lambda item: (stages[item], item.id))
    for number, step in enumerate(ordered):
        step.id = number
    return ordered


PASSES: tuple[Pass, ...] = (merge_entries, order_steps)


def run_passes(steps: list[Step], passes: Sequence[Pass] = PASSES) -> list[Step]:
    """Run the passes in order."""
    for apply in passes:
        steps = apply(steps)
    return steps


def stages_of(steps: Sequence[Step]) -> Mapping[Step, int]:
    """Return how many steps have to run before each one, at least."""
    stages: dict[Step, int] = {}

    def stage(step: Step) -> int:
        if step not in stages:
            stages[step] = max((stage(parent) + 1 for parent in step.parents), default=0)
        return stages[step]

    for step in steps:
        stage(step)
    return stages


def systems_before(step: Step) -> frozenset[str]:
    """Return the subgraphs whose answers a step needs: what it can fail or be late with."""
    return frozenset(ancestor.subgraph for ancestor in step.ancestors())


def _are_mergeable(one: Step, other: Step, stages: Mapping[Step, int]) -> bool:
    if one.subgraph != other.subgraph or one.entry is None or other.entry is None:
        return False
    if not _enter_alike(one.entry, other.entry) or stages[one] != stages[other]:
        return False
    return one.parents == other.parents or systems_before(one) == systems_before(other)


def _enter_alike(one: Entry, other: Entry) -> bool:
    if (one.path, one.possible_types, one.type_condition) != (other.path, other.possible_types, other.type_condition):
        return False
    if one.source.is_interface_object != other.source.is_interface_object:
        return False
    if one.wanted != other.wanted and not one.representation.is_like(other.representation):
        # One would send nothing where the other's required fields are left out by a condition.
        return False
    ours, theirs = one.representation.sources(), other.representation.sources()
    return all(theirs.get(name, source) == source for name, source in ours.items())


def _merge(kept: Step, gone: Step, steps: list[Step]) -> None:
    assert kept.entry is not None
    assert gone.entry is not None
    kept.selected.absorb(gone.selected)
    kept.entry.representation.absorb(gone.entry.representation)
    kept.entry.wanted |= gone.entry.wanted
    kept.parents |= gone.parents
    kept.conditions &= gone.conditions
    for step in steps:
        if gone in step.parents:
            step.parents.discard(gone)
            step.parents.add(kept)
