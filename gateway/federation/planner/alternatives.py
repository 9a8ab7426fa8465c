"""Everywhere a value could be had, whichever plan is chosen: so that an answer never depends on the choice."""

from __future__ import annotations

from gateway.federation.planner.reach import Reach
from gateway.federation.query_graph import Node, QueryGraph


class Alternatives:
    """All nodes at which the objects of one position can be resolved. Worked out only when asked for.

    A union may have other members in other subgraphs. Where a shared field leads to such a union in several of them,
    only members that all of them know can be told apart whoever answers, so only those are asked for their fields.
    """

    __slots__ = ("_field", "_graph", "_nodes", "_parent", "_reach")

    def __init__(self, graph: QueryGraph, reach: Reach, nodes: frozenset[Node] | None = None) -> None:
        self._graph = graph
        self._reach = reach
        self._nodes = nodes
        self._parent: Alternatives | None = None
        self._field = ""

    def below(self, field: str) -> Alternatives:
        """Return the alternatives for a field's value."""
        made = Alternatives(self._graph, self._reach)
        made._parent = self
        made._field = field
        return made

    def shared_types(self, static: str) -> frozenset[str] | None:
        """Return the object types that every alternative knows, or None where all types are fine."""
        if static not in self._graph.partial_unions:
            return None
        nodes = self._find()
        if len(nodes) < 2:
            return None
        shared = self._graph.types_of(static)
        for node in nodes:
            if self._graph.is_possible(node.type.name, static) or node.type.name == static:
                shared &= node.type.possible_types
        return shared

    def _find(self) -> frozenset[Node]:
        if self._nodes is None:
            assert self._parent is not None
            found: set[Node] = set()
            for node in self._parent._find():  # noqa: SLF001
                found.update(self._targets(node))
                for entered, _ in self._reach.everywhere(node):
                    found.update(self._targets(entered))
            self._nodes = frozenset(found)
        return self._nodes

    def _targets(self, node: Node) -> list[Node]:
        """Return where a field's value is, for an abstract node by each of its types."""
        edge = self._graph.common_field(node, self._field)
        if edge is not None:
            return [edge.target] if edge.target is not None else []
        if not node.is_abstract:
            return []
        members = (self._graph.narrow(node, name) for name in sorted(node.type.possible_types))
        edges = (self._graph.field(member, self._field) for member in members if member is not None)
        return [edge.target for edge in edges if edge is not None and edge.target is not None]
