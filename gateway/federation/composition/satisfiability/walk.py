"""Walks everything that clients may ask for, and notes where the subgraphs can't follow.

A state is a type of the API schema and the nodes where its objects may be. The walk is breadth first, so the first
operation that fails at some field is a shortest one; equal states are visited once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from gateway.federation.composition.model.element import Field, InterfaceType, ObjectType, UnionType
from gateway.federation.composition.model.type_reference import named_type
from gateway.federation.composition.rules.whole import Whole
from gateway.federation.composition.satisfiability.reach import Reach
from gateway.federation.query_graph import FieldEdge, Node


@dataclass(frozen=True, slots=True)
class Step:
    """One step from a root: a field, or a narrowing to a type (`field` is None then)."""

    type: str
    """The type the step is taken on; for a narrowing, the type it leads to."""
    field: Field | None
    before: Step | None


@dataclass(frozen=True, slots=True)
class State:
    """A type of the API schema and the nodes where its objects may be."""

    operation: str
    type: str
    nodes: tuple[Node, ...]
    path: Step | None
    contexts: frozenset[str] = frozenset()
    """Contexts that types on the way have set."""

    @property
    def key(self) -> tuple[str, frozenset[int], frozenset[str]]:
        """What makes two states equal."""
        return self.type, frozenset(node.id for node in self.nodes), self.contexts


@dataclass(frozen=True, slots=True)
class DeadEnd:
    """A field or type that can't be reached from a state."""

    state: State
    step: Step
    is_abstract: bool = False
    """It is the implementation behind an interface object that can't be found out."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A shared field whose subgraphs can never return the same type of object."""

    step: Step
    coordinate: str
    types: tuple[tuple[str, tuple[str, ...]], ...]
    """Subgraph and the object types it may return."""
    has_common: bool


Finding = DeadEnd | Disagreement


class Walk:
    """The walk over one supergraph."""

    def __init__(self, whole: Whole, reach: Reach) -> None:
        self._whole = whole
        self._reach = reach
        self._graph = reach.graph
        self._seen: set[tuple[str, frozenset[int], frozenset[str]]] = set()
        self._explored: set[tuple[str, frozenset[int], frozenset[str]]] = set()
        self._contexts = _context_types(whole)

    def run(self) -> Iterator[Finding]:
        """Everything that was found; one finding for each field of a state."""
        roots = self._whole.draft.schema.roots
        yield from self.explore(State(kind, name, self._graph.roots(kind), None) for kind, name in roots.items())

    def explore(self, starts: Iterable[State]) -> Iterator[Finding]:
        """Everything that is found from these states on."""
        pending = deque(starts)
        while pending:
            state = pending.popleft()
            if state.key in self._seen:
                continue
            self._seen.add(state.key)
            for found in self._advance(state):
                if isinstance(found, State):
                    pending.append(found)
                else:
                    yield found

    def _advance(self, state: State) -> Iterator[State | Finding]:
        element = self._whole.draft.types.get(state.type)
        match element:
            case ObjectType():
                places = self._places(state)
                if not self._is_new(state, places):
                    return
                for field in element.fields.values():
                    if not self._whole.is_inaccessible(field):
                        yield from self._take(state, element, field, places)
            case InterfaceType() | UnionType():
                for name in self._whole.draft.possible_types(state.type):
                    if self._whole.is_visible_type(name):
                        yield from self._narrow(state, name)
            case _:
                return

    def _is_new(self, state: State, places: tuple[Node, ...]) -> bool:
        """Does the state lead elsewhere than those before? Where no field has conditions, its places tell."""
        if any(field.requires or field.context_arguments for node in places for field in node.type.fields.values()):
            return True
        key = (state.type, frozenset(node.id for node in places), state.contexts)
        if key in self._explored:
            return False
        self._explored.add(key)
        return True

    def _places(self, state: State) -> tuple[Node, ...]:
        """Every node that the state's objects can be taken to."""
        places: dict[int, Node] = {}
        roots = self._whole.draft.schema.roots.values()
        for start in state.nodes:
            if start.id in places and start.type.name in roots:
                continue  # all roots reach each other
            places.update((each.node.id, each.node) for each in self._reach.closure(start))
        return tuple(places.values())

    def _take(
        self, state: State, parent: ObjectType, field: Field, places: tuple[Node, ...]
    ) -> Iterator[State | Finding]:
        step = Step(parent.name, field, state.path)
        edges = list(self._usable_edges(state, field.name, places))
        if not edges:
            yield DeadEnd(state, step)
            return
        target = named_type(field.type)
        if not isinstance(self._whole.draft.types.get(target), ObjectType | InterfaceType | UnionType):
            return
        nodes = tuple({edge.target.id: edge.target for edge in edges if edge.target is not None}.values())
        disagreement = self._disagreement(step, parent, field, nodes)
        if disagreement is not None:
            yield disagreement
            if not disagreement.has_common:
                return
        contexts = state.contexts | self._contexts.get(parent.name, frozenset())
        if len(nodes) > 1 and parent.name == self._whole.draft.schema.roots.get("mutation"):
            yield from self._run_by_one([State(state.operation, target, (node,), step, contexts) for node in nodes])
            return
        yield State(state.operation, target, nodes, step, contexts)

    def _run_by_one(self, states: Sequence[State]) -> Iterator[Finding]:
        """A shared mutation runs in one of its subgraphs: one has to be enough for whatever clients ask for after it."""
        attempts = [tuple(Walk(self._whole, self._reach).explore([state])) for state in states]
        enough = next((found for found in attempts if not any(isinstance(each, DeadEnd) for each in found)), None)
        yield from attempts[0] if enough is None else enough

    def _usable_edges(self, state: State, name: str, places: tuple[Node, ...]) -> Iterator[FieldEdge]:
        for node in places:
            edge = self._graph.field(node, name)
            if edge is None or self._reach.use(edge) is None:
                continue
            if all(argument.context in state.contexts for argument in edge.field.context_arguments):
                yield edge

    def _narrow(self, state: State, name: str) -> Iterator[State | Finding]:
        step = Step(name, None, state.path)
        nodes: dict[int, Node] = {}
        for node in state.nodes:
            if node.is_interface_object:
                real = [each.node for each in self._reach.closure(node) if each.node.is_abstract]
                if not real:
                    continue
                narrowed = [other for each in real if (other := self._graph.narrow(each, name)) is not None]
                nodes.update((other.id, other) for other in (node, *narrowed))
                continue
            other = self._graph.narrow(node, name)
            if other is None:
                return
            nodes[other.id] = other
        if not nodes:
            yield DeadEnd(state, step, is_abstract=True)
            return
        contexts = state.contexts | self._contexts.get(state.type, frozenset())
        yield State(state.operation, name, tuple(nodes.values()), step, contexts)

    def _disagreement(
        self, step: Step, parent: ObjectType, field: Field, nodes: tuple[Node, ...]
    ) -> Disagreement | None:
        abstract = [node for node in nodes if node.is_abstract]
        if len({node.subgraph for node in abstract}) < 2 or not self._is_shared(parent.name, field.name):
            return None
        types = tuple((node.subgraph, tuple(sorted(node.type.possible_types))) for node in abstract)
        sets = [set(names) for _, names in types]
        if not any(sets) or len({frozenset(names) for names in sets}) == 1:
            return None
        return Disagreement(step, f"{parent.name}.{field.name}", types, bool(set.intersection(*sets)))

    def _is_shared(self, parent: str, field: str) -> bool:
        return any((parent, field) in subgraph.facts.shareable for subgraph in self._whole.merge.subgraphs)


def _context_types(whole: Whole) -> dict[str, frozenset[str]]:
    """Type to the contexts it sets, by itself or through its interfaces and unions."""
    name = whole.draft.carried.get("context")
    found: dict[str, set[str]] = {}
    for element in whole.draft.types.values() if name else ():
        contexts = [applied.text("name") or "" for applied in element.directives if applied.name == name]
        if contexts:
            for type_name in (element.name, *whole.draft.possible_types(element.name)):
                found.setdefault(type_name, set()).update(contexts)
    return {type_name: frozenset(contexts) for type_name, contexts in found.items()}
