"""The planner: five calls from an operation to its plan."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.errors import GatewayError
from gateway.federation.operation import Operation
from gateway.federation.plan import OperationKind, PlanNode, QueryPlan, RootFetch, Sequence, SubscriptionPlan
from gateway.federation.planner.best_paths import best_paths
from gateway.federation.planner.budget import Budget
from gateway.federation.planner.collect import Collector
from gateway.federation.planner.fetch_graph import FetchGraphBuilder
from gateway.federation.planner.names import ResponseNames
from gateway.federation.planner.passes import run_passes
from gateway.federation.planner.path import Item, Leaf, Path, Selections
from gateway.federation.planner.paths import PathFinder
from gateway.federation.planner.query_tree import Branch, query_tree
from gateway.federation.planner.reach import Reach
from gateway.federation.planner.schedule import Scheduler
from gateway.federation.planner.step import Step
from gateway.federation.planner.trace import Trace
from gateway.federation.query_graph import QueryGraph
from gateway.federation.supergraph import FragmentSelection, Selection, Supergraph

DEFAULT_BUDGET = 15_000
"""Steps one planning may take: half a second at most. Operations of people take some hundreds, 1,500 fields 4,000."""

_KEPT_LABEL_SETS = 16


@dataclass(frozen=True, slots=True, eq=False)
class _Knowledge:
    """What holds for a graph whatever is asked: kept from one planning to the next."""

    graph: QueryGraph
    reach: Reach


class Planner:
    """Plans operations on one supergraph. Deterministic: the same operation and labels give the same plan.

    What it finds out about the graph is kept, so one planner plans one operation at a time.
    """

    def __init__(self, supergraph: Supergraph, *, budget: int = DEFAULT_BUDGET) -> None:
        self._supergraph = supergraph
        self._budget = budget
        self._knowledge: dict[frozenset[str], _Knowledge] = {}

    def plan(
        self, operation: Operation, active_labels: frozenset[str] = frozenset(), *, trace: Trace | None = None
    ) -> QueryPlan:
        """Return the operation's plan; `trace` gets every stage on the way to it.

        `active_labels` are the progressive override labels that hold for this request, chosen by the caller out of
        `Supergraph.override_labels`; a plan cache has to key on them.
        Raises GatewayError with PLAN_BUDGET_EXCEEDED where the search grows beyond the budget.
        """
        planning = _Planning(self._supergraph, self._know(active_labels), operation, Budget(self._budget), trace)
        return QueryPlan(kind=operation.kind, root=planning.run())

    def _know(self, active_labels: frozenset[str]) -> _Knowledge:
        labels = active_labels & self._supergraph.override_labels
        if labels not in self._knowledge:
            if len(self._knowledge) == _KEPT_LABEL_SETS:
                # Labels combine freely; a set that comes back later is only worked out again.
                del self._knowledge[next(iter(self._knowledge))]
            graph = QueryGraph(self._supergraph, labels)
            self._knowledge[labels] = _Knowledge(graph, Reach(graph))
        return self._knowledge[labels]


class _Planning:
    """One operation being planned."""

    def __init__(
        self, supergraph: Supergraph, knowledge: _Knowledge, operation: Operation, budget: Budget, trace: Trace | None
    ) -> None:
        self._supergraph = supergraph
        self._graph = knowledge.graph
        self._operation = operation
        self._budget = budget
        self._trace = trace
        self._collector = Collector(supergraph)
        self._finder = PathFinder(self._graph, self._collector, knowledge.reach, budget)
        knowledge.reach.use(self._finder)
        self._names = ResponseNames(operation.selections)
        self._scheduler = Scheduler(operation)

    def run(self) -> PlanNode | SubscriptionPlan | None:
        match self._operation.kind:
            case OperationKind.QUERY:
                return self._scheduler.schedule(self._steps(self._operation.selections))
            case OperationKind.MUTATION:
                return self._serial()
            case OperationKind.SUBSCRIPTION:
                return self._subscription()

    def _serial(self) -> PlanNode | None:
        """Plan mutation fields one after another; neighbours in one subgraph share a request if nothing follows."""
        groups: list[tuple[Selections, list[Step]]] = []
        for selections in self._root_fields():
            steps = self._steps(selections)
            if groups and self._can_join(groups[-1][1], steps):
                joined = groups[-1][0] + selections
                groups[-1] = (joined, self._steps(joined))
            else:
                groups.append((selections, steps))
        nodes = [node for _, steps in groups if (node := self._scheduler.schedule(steps)) is not None]
        flat = [part for node in nodes for part in (node.nodes if isinstance(node, Sequence) else (node,))]
        return flat[0] if len(flat) == 1 else Sequence(tuple(flat)) if flat else None

    @staticmethod
    def _can_join(before: list[Step], after: list[Step]) -> bool:
        """Whether mutation fields can share a request: a fragment's directives around one are not for the other."""
        steps = (*before, *after)
        if len(before) != 1 or len(after) != 1 or len({step.subgraph for step in steps}) > 1:
            return False
        return not any(entry.around for step in steps for entry in step.selected.fields.values())

    def _subscription(self) -> SubscriptionPlan:
        steps = self._steps(self._operation.selections)
        primary = self._scheduler.schedule(steps[:1])
        if not isinstance(primary, RootFetch):
            raise GatewayError("GRAPHQL_VALIDATION_FAILED", "A subscription's field can't be left out by a condition.")
        return SubscriptionPlan(primary=primary, rest=self._scheduler.schedule(steps[1:]))

    def _root_fields(self) -> tuple[Selections, ...]:
        """Return the root fields that a subgraph has to answer, each response name once: it must run once only."""
        static = self._supergraph.root_types[self._operation.kind.value]
        groups = self._collector.collect(static, (self._operation.selections,), is_hidden=False)
        fields: dict[str, Selections] = {}
        for item in groups[static]:
            if not item.selection.name.startswith("__"):
                name = item.selection.response_name
                fields[name] = (*fields.get(name, ()), self._as_selection(item))
        return tuple(fields.values())

    @staticmethod
    def _as_selection(item: Item) -> Selection:
        """Return a merged root field as one selection of its own."""
        found: Selection = replace(
            item.selection,
            conditions=item.conditions,
            selections=tuple(FragmentSelection(None, frozenset(), selections) for selections in item.children),
        )
        for directives in reversed(item.around):
            found = FragmentSelection(None, frozenset(), (found,), directives)
        return found

    def _steps(self, selections: Selections) -> list[Step]:
        """Run the first four calls for some root selections."""
        leaves = self._leaves(selections)
        chosen = best_paths(leaves, self._budget)
        trees = self._trees(chosen)
        builder = FetchGraphBuilder(self._graph, self._names, self._operation.variable_types)
        for tree in trees:
            builder.add_root(tree)
        if self._trace is not None:
            self._trace.paths(leaves, chosen)
            self._trace.trees(trees)
            self._trace.steps("fetch graph", builder.steps)
        return run_passes(builder.steps, trace=self._trace)

    def _leaves(self, selections: Selections) -> list[Leaf]:
        kind = self._operation.kind.value
        static = self._supergraph.root_types[kind]
        starts = [Path(node, fetches=frozenset({((), node.subgraph, "")})) for node in self._graph.roots(kind)]
        return self._finder.find_root(starts, static, selections)

    @staticmethod
    def _trees(paths: tuple[Path, ...]) -> list[Branch]:
        """Merge paths into one tree for each subgraph that they start in."""
        starts: dict[int, list[Path]] = {}
        for path in paths:
            starts.setdefault(path.root.id, []).append(path)
        return [query_tree(group[0].root, group) for group in starts.values()]
