"""The query plan: what to fetch, from whom, in which order. The planner makes it, the executor runs it."""

from gateway.federation.operation import OperationKind
from gateway.federation.plan.as_json import plan_to_json
from gateway.federation.plan.draw import draw_plan, draw_svg
from gateway.federation.plan.fetches import fetches_of
from gateway.federation.plan.model import (
    Condition,
    EachItem,
    EntityFetch,
    EntityInput,
    FieldRewrite,
    Parallel,
    Path,
    PathElement,
    PathKey,
    PlanNode,
    QueryPlan,
    RepresentationField,
    RepresentationFragment,
    RepresentationSelection,
    RootFetch,
    Sequence,
    SubscriptionPlan,
)
from gateway.federation.plan.text import print_path, print_plan

__all__ = [
    "Condition",
    "EachItem",
    "EntityFetch",
    "EntityInput",
    "FieldRewrite",
    "OperationKind",
    "Parallel",
    "Path",
    "PathElement",
    "PathKey",
    "PlanNode",
    "QueryPlan",
    "RepresentationField",
    "RepresentationFragment",
    "RepresentationSelection",
    "RootFetch",
    "Sequence",
    "SubscriptionPlan",
    "draw_plan",
    "draw_svg",
    "fetches_of",
    "plan_to_json",
    "print_path",
    "print_plan",
]
