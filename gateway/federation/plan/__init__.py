"""The query plan: what to fetch, from whom, in which order. The planner makes it, the executor runs it.

Incremental delivery. `@defer` is not offered: the API schema has no such directive, and validation says so. Nothing in the
model stands in its way, and this is where it goes:

* Operation: a fragment under `@defer(label:, if:)` is a `FragmentSelection` with a label; `if:` with a variable is a condition
  as `@include` is. Fragments are expanded where they are now (`supergraph.selection`).
* Planner: `collect` keeps the fields of each label apart, as it does with conditions, and the label goes into `Step`, so that
  `merge_entries` and the scheduler never join what is deferred with what isn't. A deferred step enters its entity by key,
  also in the subgraph where the object is: that is the one new way in `reach`. Where a type has no key the fragment is not
  deferred, as the specification allows.
* Plan: a node beside `Condition`, `Defer(primary: PlanNode, deferred: tuple[Deferred, …])`, where `Deferred` holds the label,
  the `Path` of its objects, the `PlanNode` that fetches it, and the ids of the primary's fetches that it `needs`, as entity
  inputs have them already: a deferred branch starts when those have answered, not when the whole primary has.
* Execution: `_execute` runs the primary to its end and starts each deferred branch as a task of the request; all work on one
  response tree. `compile_shape` makes one shape for the primary and one for each label, so completion, null propagation and
  located errors apply to each part by itself.
* Engine and transport: `Engine.subscribe` returns an iterator of responses, and multipart and SSE send as many as come: a
  deferred query is one more case of that, whose payloads carry `pending`, `incremental`, `completed` and `hasNext`
  (https://github.com/graphql/graphql-spec/pull/1110). A transport that can't stream asks for a plan without `Defer`.
"""

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
