"""Going on without a slow fetch, so that it costs its own fields only.

A plan saves requests by letting a step wait for others that it doesn't need. Where one of those is slow, what follows it
runs early with the objects that are there already, and once more, for the others, when the slow one has ended. Normally
nothing is slow and each fetch is sent once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.execution.collect import Collected
from gateway.federation.plan import (
    EntityFetch,
    EntityInput,
    PlanNode,
    QueryPlan,
    RootFetch,
    fetches_of,
)

PATIENCE = 0.25
"""The share of the time left to the deadline after which a fetch counts as slow."""

Ancestors = Mapping[int, frozenset[int]]
"""Fetch id → ids of all the fetches that it needs."""


def ancestors_of(plan: QueryPlan) -> Ancestors:
    """Return what each fetch of a plan needs, however far back."""
    found: dict[int, frozenset[int]] = {}
    for node in fetches_of(plan.root):
        direct = {each for entity_input in _inputs(node) for needed in entity_input.needs for each in needed}
        found[node.id] = frozenset(direct).union(*(found.get(each, frozenset()) for each in direct))
    return found


def needless_waits(nodes: Sequence[PlanNode], ancestors: Ancestors) -> frozenset[int]:
    """Return the indices of a sequence's nodes behind which something waits that doesn't need all of the node."""
    found: set[int] = set()
    for index, node in enumerate(nodes[:-1]):
        fetches = {fetch.id for fetch in fetches_of(node)}
        following = (fetch for later in nodes[index + 1 :] for fetch in fetches_of(later))
        for entity_input in (each for fetch in following for each in _inputs(fetch)):
            for needed in entity_input.needs:
                if fetches - set(needed).union(*(ancestors.get(each, frozenset()) for each in needed)):
                    found.add(index)
    return frozenset(found)


def only_new(found: Collected, sent: dict[int, Any]) -> Collected:
    """Return what of a collection has not been sent yet, and note it as sent. `sent` keeps objects by identity."""
    kept = Collected(is_skipping=found.is_skipping)
    numbers: dict[int, int] = {}
    for objects, slots in found.groups:
        new = [(each, slot) for each, slot in zip(objects, slots, strict=True) if id(each) not in sent]
        for _, slot in new:
            if slot not in numbers:
                numbers[slot] = len(kept.representations)
                kept.representations.append(found.representations[slot])
        kept.groups.append(([each for each, _ in new], [numbers[slot] for _, slot in new]))
    sent.update((id(each), each) for objects, _ in kept.groups for each in objects)
    return kept


def _inputs(fetch: RootFetch | EntityFetch) -> tuple[EntityInput, ...]:
    return fetch.inputs if isinstance(fetch, EntityFetch) else ()
