"""The fetch graph's passes: each takes steps and returns as few or fewer. A tuple gives their order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gateway.federation.planner.stages import earliest_stages, settle_stages
from gateway.federation.planner.step import Step
from gateway.federation.planner.trace import Trace


class Pass(Protocol):
    """Takes steps and returns as few or fewer; its name says what it does."""

    __name__: str

    def __call__(self, steps: list[Step], /) -> list[Step]:
        """Return the steps after the pass."""


def merge_entries(steps: list[Step]) -> list[Step]:
    """Merge steps that enter the same objects in the same subgraph once the same answers are there.

    Two fields of `inventory.Product`, one of them with `@requires`, are one input if neither needs more than the other:
    the same stage, after the same subgraphs.
    """
    systems: dict[Step, frozenset[str]] = {}
    children: dict[Step, list[Step]] = {}
    for step in steps:
        for parent in step.parents:
            children.setdefault(parent, []).append(step)
    kept: list[Step] = []
    alike: dict[tuple[object, ...], list[Step]] = {}
    # Earlier stages first: once parents are merged, their children have equal parents.
    for step in sorted(steps, key=lambda item: (item.stage, item.id)):
        systems[step] = frozenset(parent.subgraph for parent in step.parents).union(
            *(systems[parent] for parent in step.parents)
        )
        if step.entry is None:
            kept.append(step)
            continue
        key = (step.subgraph, step.stage, systems[step], step.entry.path, step.entry.possible_types)
        group = alike.setdefault(key, [])
        twin = next((other for other in group if _enter_alike(other, step)), None)
        if twin is None:
            group.append(step)
            kept.append(step)
            continue
        _merge(twin, step)
        for child in children.get(step, ()):
            child.parents.discard(step)
            child.parents.add(twin)
        children.setdefault(twin, []).extend(children.get(step, ()))
    return kept


def order_steps(steps: list[Step]) -> list[Step]:
    """Order steps so that each stands after all it waits for, and number them from 0."""
    ordered = sorted(steps, key=lambda item: (item.stage, item.id))
    for number, step in enumerate(ordered):
        step.id = number
    return ordered


PASSES: tuple[Pass, ...] = (earliest_stages, merge_entries, settle_stages, merge_entries, order_steps)


def run_passes(steps: list[Step], passes: Sequence[Pass] = PASSES, trace: Trace | None = None) -> list[Step]:
    """Run the passes in order."""
    for apply in passes:
        steps = apply(steps)
        if trace is not None:
            trace.steps(f"after {apply.__name__}", steps)
    return steps


def _enter_alike(kept: Step, gone: Step) -> bool:
    """Whether two steps at the same objects can be one: neither would send more, or less often, than it should."""
    one, other = kept.entry, gone.entry
    assert one is not None
    assert other is not None
    if one.type_condition != other.type_condition:
        return False
    if one.source.is_interface_object != other.source.is_interface_object:
        return False
    if one.wanted != other.wanted and not one.representation.is_like(other.representation):
        # One would send nothing where the other's required fields are left out by a condition.
        return False
    if any(other.contexts.get(key, value) != value for key, value in one.contexts.items()):
        return False
    return not one.representation.contradicts(other.representation)


def _merge(kept: Step, gone: Step) -> None:
    assert kept.entry is not None
    assert gone.entry is not None
    common = kept.conditions & gone.conditions
    kept.selected.restrict(kept.conditions - common)
    gone.selected.restrict(gone.conditions - common)
    kept.selected.absorb(gone.selected)
    kept.entry.representation.absorb(gone.entry.representation)
    kept.entry.contexts |= gone.entry.contexts
    kept.entry.wanted |= gone.entry.wanted
    kept.parents |= gone.parents
    kept.conditions = common
