"""The fetches of a plan, one after another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from gateway.federation.plan.model import (
    Condition,
    EntityFetch,
    Parallel,
    PlanNode,
    RootFetch,
    Sequence,
    SubscriptionPlan,
)


def fetches_of(node: PlanNode | SubscriptionPlan | None) -> Iterator[RootFetch | EntityFetch]:
    """Yield fetches in an order that has those which a fetch needs before it."""
    match node:
        case None:
            return
        case RootFetch() | EntityFetch():
            yield node
        case Sequence(nodes) | Parallel(nodes):
            for each in nodes:
                yield from fetches_of(each)
        case Condition(_, if_true, if_false):
            yield from fetches_of(if_true)
            yield from fetches_of(if_false)
        case SubscriptionPlan(primary=primary, rest=rest):
            yield primary
            yield from fetches_of(rest)
        case _:
            assert_never(node)
