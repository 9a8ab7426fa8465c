"""Which entities can be entered from a node, and what that takes. True for a graph, so remembered across operations."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING

from gateway.federation.planner.best_paths import best_paths
from gateway.federation.planner.path import Jump, Path, Requirement
from gateway.federation.planner.query_tree import query_tree
from gateway.federation.query_graph import FieldEdge, Node, QueryGraph
from gateway.federation.supergraph import FieldSet, join_field_sets

if TYPE_CHECKING:
    from gateway.federation.planner.paths import PathFinder

Jumps = tuple[Jump, ...]


class Reach:
    """Answers what a subgraph's entities can be entered from, by search and from memory."""

    def __init__(self, graph: QueryGraph) -> None:
        self._graph = graph
        self._reached: dict[int, dict[int, tuple[Node, Jumps]]] = {}
        self._required: dict[tuple[int, str, bool], Requirement | None] = {}
        self._ways: dict[tuple[int, str], tuple[tuple[Jumps, FieldEdge], ...]] = {}
        self._open: list[object] = []
        self._finder: PathFinder | None = None

    def use(self, finder: PathFinder) -> None:
        """Let requirements be searched by this finder."""
        self._finder = finder

    def ways_to(self, node: Node, field: str) -> tuple[tuple[Jumps, FieldEdge], ...]:
        """Return every way to take a field after entering: the entities entered, in order, and the field's edge."""
        key = (node.id, field)
        known = self._ways.get(key)
        if known is not None:
            return known
        ways = (*self._plain_ways(node, field), *self._requiring_ways(node, field))
        if not self._open:
            self._ways[key] = ways
        return ways

    def everywhere(self, node: Node) -> Iterator[tuple[Node, Jumps]]:
        """Yield each node at which the entity can be entered, with the fewest jumps to it."""
        known = self._reached.get(node.id)
        yield from list((self._search(node) if known is None else known).values())

    def requirement(self, node: Node, fields: FieldSet, *, is_local: bool = False) -> Requirement | None:
        """Return how a field set is met from a node, or None if it can't be."""
        key = (node.id, fields.text, is_local)
        if key in self._required:
            return self._required[key]
        if key in self._open:
            return None
        assert self._finder is not None
        self._open.append(key)
        try:
            leaves = self._finder.find(
                [Path(node)], node.type.name, (fields.selections,), is_hidden=True, is_local=is_local
            )
        finally:
            self._open.pop()
        found: Requirement | None = None
        if leaves is not None:
            paths = best_paths(leaves, self._finder.budget)
            fetches = frozenset(fetch for path in paths for fetch in path.fetches)
            depth = max((path.depth for path in paths), default=0)
            found = Requirement(query_tree(node, paths), fetches, depth)
        # A search within another one is cut short at what is already open; its failures may not be final.
        if found is not None or not self._open:
            self._required[key] = found
        return found

    def _search(self, node: Node) -> dict[int, tuple[Node, Jumps]]:
        """Find the cheapest jumps to every node: keys met on the spot first, then keys gathered from elsewhere."""
        reached: dict[int, tuple[Node, Jumps]] = {}
        self._reached[node.id] = reached
        is_whole = False
        try:
            self._spread(node, reached, is_local=True)
            is_nested = bool(self._open)
            self._open.append(("reach", node.id))
            try:
                self._spread(node, reached, is_local=False)
            finally:
                self._open.pop()
            is_whole = not is_nested
        finally:
            # What a search within another one found may lack something, and so does one that the budget cut short.
            if not is_whole:
                del self._reached[node.id]
        return reached

    def _spread(self, node: Node, reached: dict[int, tuple[Node, Jumps]], *, is_local: bool) -> None:
        order = count()
        heap: list[tuple[int, int, Node, Jumps]] = [(0, next(order), node, ())]
        if not is_local:
            heap.extend((len(jumps), next(order), target, jumps) for target, jumps in reached.values())
            heapq.heapify(heap)
        done: set[int] = set()
        most = self._most_reached(node)
        cheapest = {node.id: 0} | {target.id: cost for cost, _, target, _ in heap}
        is_settled = False
        while heap:
            cost, _, here, jumps = heapq.heappop(heap)
            if here.id in done:
                continue
            done.add(here.id)
            if here is not node and here.id not in reached:
                reached[here.id] = (here, jumps)
            # Between hundreds of subgraphs all know ways to each other; none of them is shorter than those known.
            is_settled = is_settled or (len(cheapest) == most and max(cheapest.values()) <= cost + 1)
            if is_settled:
                continue
            for edge in self._graph.keys(here):
                target = edge.target
                if target.id in done or target is node or (not is_local and target.id in reached):
                    continue
                requirement = self.requirement(here, edge.key, is_local=is_local)
                if requirement is not None:
                    jump = Jump(here, target, edge.key, None, requirement)
                    total = cost + 1 + len(requirement.fetches)
                    if total < cheapest.get(target.id, total + 1):
                        cheapest[target.id] = total
                        heapq.heappush(heap, (total, next(order), target, (*jumps, jump)))

    def _most_reached(self, node: Node) -> int | None:
        """Return how many nodes there are to be reached, the first included; None where that can't be told at once."""
        targets = {edge.target for edge in self._graph.keys(node)}
        if any(target.type.name != node.type.name for target in targets):
            # An interface object leads on to what its interface is elsewhere.
            return None
        own = self._graph.node(node.subgraph, node.type.name)
        if own is not node and targets and self._graph.entry_keys(own):
            targets.add(own)
        return len(targets) + 1

    def _plain_ways(self, node: Node, field: str) -> Iterator[tuple[Jumps, FieldEdge]]:
        for target, jumps in self.everywhere(node):
            edge = self._graph.common_field(target, field)
            if edge is not None and edge.is_plain:
                yield jumps, edge

    def _requiring_ways(self, node: Node, field: str) -> Iterator[tuple[Jumps, FieldEdge]]:
        """Yield entries into subgraphs whose field requires others: key and required fields go in together."""
        targets = {node.id: node} if node.type.keys else {}
        targets.update((edge.target.id, edge.target) for edge in self._graph.keys(node))
        for target in targets.values():
            edge = self._graph.field(target, field)
            if edge is None or edge.is_plain:
                continue
            options: list[Jump] = []
            for key in self._graph.entry_keys(target):
                needed = key if edge.requires is None else join_field_sets(key, edge.requires)
                requirement = self.requirement(node, needed)
                if requirement is not None:
                    options.append(Jump(node, target, key, edge.requires, requirement))
            if options:
                yield (min(options, key=lambda jump: (len(jump.requirement.fetches), jump.requirement.depth)),), edge
