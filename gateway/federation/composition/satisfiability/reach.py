"""Where one can get from a place in the query graph without taking a field: entering subgraphs by key.

Whether a key can be used, or a requirement met, is again a question of what can be reached: both are answered here,
and each answer is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gateway.federation.composition.satisfiability.budget import Budget
from gateway.federation.query_graph import FieldEdge, KeyEdge, Node, QueryGraph
from gateway.federation.supergraph import FieldSelection, FragmentSelection, Selection

_NOWHERE: frozenset[str] = frozenset()
_Place = tuple[int, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Reached:
    """A node that can be reached, and the subgraphs that were entered for it, below it included."""

    node: Node
    entered: frozenset[str] = _NOWHERE


class Reach:
    """Answers about one query graph.

    What is needed to enter a subgraph has to be had without entering that very subgraph: `without` names those that
    are out of bounds, and `Reached.entered` tells which nodes rest on them.
    """

    def __init__(self, graph: QueryGraph, budget: Budget) -> None:
        self.graph = graph
        self._budget = budget
        self._closures: dict[_Place, tuple[Reached, ...]] = {}
        self._growing: dict[_Place, dict[int, Reached]] = {}
        self._touched: set[_Place] = set()
        self._asked: set[tuple[int, str]] = set()
        self._dividing: set[tuple[int, str]] = set()
        self._roots = {name: graph.roots(kind) for kind, name in graph.supergraph.root_types.items()}

    def closure(self, start: Node, without: frozenset[str] = _NOWHERE) -> tuple[Reached, ...]:
        """The start and every node of the same objects in other subgraphs that can be entered from it."""
        place = (start.id, without)
        known = self._closures.get(place)
        if known is not None:
            return known
        if place in self._growing:
            self._touched.add(place)
            return tuple(self._growing[place].values())
        found = self._growing[place] = {start.id: Reached(start)}
        outer, self._touched = self._touched, set()
        for root in self._roots.get(start.type.name, ()):
            found[root.id] = Reached(root)
        self._grow(found, without)
        del self._growing[place]
        result = tuple(found.values())
        pending = self._touched - {place}
        if not pending:  # otherwise the answer rests on one that is still growing, and may grow too
            self._closures[place] = result
        self._touched = outer | pending
        return result

    def _grow(self, found: dict[int, Reached], without: frozenset[str]) -> None:
        """Enter whatever can be entered, until nothing new is found."""
        pending: dict[tuple[int, str], tuple[KeyEdge, Reached]] = {}
        scanned: set[str] = set()
        fresh = list(found.values())
        while fresh:
            for source in fresh:
                # Nodes of one type lead to the same places: they need to be looked at once.
                if source.node.type.name not in scanned:
                    scanned.add(source.node.type.name)
                    for edge in self.graph.keys(source.node):
                        self._budget.spend()
                        if edge.target.subgraph not in without:
                            pending.setdefault((edge.target.id, edge.key.text), (edge, source))
            fresh = self._enter_pending(found, pending, without)

    def _enter_pending(
        self,
        found: dict[int, Reached],
        pending: dict[tuple[int, str], tuple[KeyEdge, Reached]],
        without: frozenset[str],
    ) -> list[Reached]:
        fresh: list[Reached] = []
        reached = tuple(found.values())
        for question, (edge, source) in tuple(pending.items()):
            entered = None if edge.target.id in found else self._enter(edge, reached, without)
            if entered is not None:
                found[edge.target.id] = Reached(edge.target, entered | source.entered)
                fresh.append(found[edge.target.id])
            if edge.target.id in found:
                del pending[question]
        return fresh

    def _enter(
        self, edge: KeyEdge, reached: tuple[Reached, ...], without: frozenset[str] = _NOWHERE
    ) -> frozenset[str] | None:
        target = edge.target.subgraph
        usable = tuple(each for each in reached if target not in each.entered)
        entered = self.select(usable, edge.key.selections, without | {target})
        return None if entered is None else entered | {target}

    def keys_tried(self, start: Node) -> Iterator[tuple[KeyEdge, bool]]:
        """The keys one could use from what is reached, and whether each works: for explaining."""
        reached = self.closure(start)
        for source in reached:
            for edge in self.graph.keys(source.node):
                yield edge, self._enter(edge, reached) is not None

    def select(
        self, reached: tuple[Reached, ...], selections: Iterable[Selection], without: frozenset[str] = _NOWHERE
    ) -> frozenset[str] | None:
        """The subgraphs entered to get everything selected from nodes of the same objects; None if it can't be had."""
        entered: set[str] = set()
        for selection in selections:
            found = self._select_one(reached, selection, without)
            if found is None:
                return None
            entered |= found
        return frozenset(entered)

    def _select_one(
        self, reached: tuple[Reached, ...], selection: Selection, without: frozenset[str]
    ) -> frozenset[str] | None:
        self._budget.spend()
        if isinstance(selection, FragmentSelection):
            return self._select_fragment(reached, selection, without)
        if selection.name == "__typename":
            return _NOWHERE
        for source in reached:
            found = self._select_field(source, selection, without)
            if found is not None:
                return found | source.entered
        return None

    def _select_fragment(
        self, reached: tuple[Reached, ...], fragment: FragmentSelection, without: frozenset[str]
    ) -> frozenset[str] | None:
        condition = fragment.type_condition
        if condition is None:
            return self.select(reached, fragment.selections, without)
        is_possible = False
        for source in reached:
            narrowed = self.graph.narrow(source.node, condition)
            if narrowed is None:
                continue
            is_possible = True
            found = self.select(self.closure(narrowed, without), fragment.selections, without)
            if found is not None:
                return found | source.entered
        return None if is_possible else _NOWHERE

    def _select_field(
        self, source: Reached, selection: FieldSelection, without: frozenset[str]
    ) -> frozenset[str] | None:
        node = source.node
        edge = self.graph.common_field(node, selection.name)
        if edge is None and node.is_abstract:
            return self._select_by_type(node, selection, without)
        # A field that moves by a label is nothing to build on: Apollo's planners need the label on the way to it.
        if edge is None or edge.field.override_label is not None:
            return None
        entered = self.use(edge, without)
        if entered is None or not selection.selections or edge.target is None:
            return entered
        below = self.select(self.closure(edge.target, without), selection.selections, without)
        return None if below is None else entered | below

    def _select_by_type(self, node: Node, selection: FieldSelection, without: frozenset[str]) -> frozenset[str] | None:
        question = (node.id, selection.name)
        if question in self._dividing:  # the way from a type led back to its interface, which has nothing new to say
            return None
        self._dividing.add(question)
        try:
            return self._select_from_each(node, selection, without)
        finally:
            self._dividing.discard(question)

    def _select_from_each(
        self, node: Node, selection: FieldSelection, without: frozenset[str]
    ) -> frozenset[str] | None:
        entered: set[str] = set()
        for name in sorted(node.type.possible_types):
            member = self.graph.narrow(node, name)
            found = None if member is None else self._select_one(self.closure(member, without), selection, without)
            if found is None:
                return None
            entered |= found
        return frozenset(entered) if node.type.possible_types else None

    def use(self, edge: FieldEdge, without: frozenset[str] = _NOWHERE) -> frozenset[str] | None:
        """The subgraphs entered to meet a field's requirements; None if the field can't be taken.

        Requirements are gathered from where the field is, as Apollo's planners do, not from the way to it.
        """
        if edge.requires is None and not edge.field.context_arguments:
            return _NOWHERE
        question = (edge.source.id, edge.field.name)
        if question in self._asked:
            return None
        self._asked.add(question)
        try:
            own = self.closure(edge.source, without)
            entered = self.select(own, edge.requires.selections, without) if edge.requires else _NOWHERE
            return entered if entered is not None and self.can_reenter(edge.source, own) else None
        finally:
            self._asked.discard(question)

    def can_reenter(self, node: Node, reached: tuple[Reached, ...]) -> bool:
        """Can the node's subgraph be asked again, once requirements are known? It takes a key."""
        if node.type.name in self._roots:
            return True
        return any(self.select(reached, key.selections) is not None for key in self.graph.entry_keys(node))
