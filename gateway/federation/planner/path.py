"""Paths: how one selected field can be reached, move by move, from the operation's root."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from gateway.federation.query_graph import FieldEdge, Node
from gateway.federation.supergraph import Conditions, ContextArgument, Directives, FieldSelection, FieldSet, Selection

if TYPE_CHECKING:
    from gateway.federation.planner.query_tree import Branch

Position: TypeAlias = tuple[str, ...]
"""Response names from the root down: `("products", "reviews")`; lists and type conditions leave no trace."""
Selections: TypeAlias = tuple[Selection, ...]
Around: TypeAlias = tuple[Directives, ...]
FetchKey: TypeAlias = tuple[Position, str, str]
"""A request that a path needs: where in the response, which subgraph, and which `@requires` it must wait for."""


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One field to reach: what the client, or a field set, selects at a position. Its sub-selections are merged."""

    selection: FieldSelection
    conditions: Conditions
    children: tuple[Selections, ...] = ()
    """Sub-selections of every occurrence of the field."""
    around: Around = ()
    """Directives of the fragments around it, outermost first."""
    is_hidden: bool = False
    """Asked for by a field set and not by the client: its response name may be changed."""


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """Take a field within the current request. `edge` is None for `__typename`."""

    item: Item
    edge: FieldEdge | None


@dataclass(frozen=True, slots=True, eq=False)
class Narrow:
    """Go on with objects of one type only."""

    type_name: str


@dataclass(frozen=True, slots=True, eq=False)
class Jump:
    """Enter the entity in a subgraph with a new request."""

    source: Node
    target: Node
    key: FieldSet
    requires: FieldSet | None
    """What the representation carries beside the key, for the sake of a `@requires`."""
    requirement: Requirement
    contexts: tuple[ContextSource, ...] = ()
    """Where the arguments come from that ancestors set."""

    @property
    def fields(self) -> FieldSet:
        """All that the representation carries."""
        if self.requires is None:
            return self.key
        return FieldSet(f"{self.key.text} {self.requires.text}", self.key.selections + self.requires.selections)


@dataclass(frozen=True, slots=True, eq=False)
class ContextSource:
    """Where the value of one `@fromContext` argument comes from."""

    field: str
    """The field that has the argument."""
    argument: ContextArgument
    selection: FieldSet
    depth: int
    """How many response names lead to the ancestor that sets the context."""
    requirement: Requirement
    """How the selection is met from the ancestor."""


Move: TypeAlias = Take | Narrow | Jump


@dataclass(frozen=True, slots=True, eq=False)
class Requirement:
    """How a field set is met from a node: a query tree of its own, and what it costs."""

    tree: Branch
    fetches: frozenset[FetchKey]
    """Requests it needs beside the one that already stands at the node; positions are relative."""
    depth: int
    """Requests that have to run one after another."""


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """A way to a node: the last move, and the path before it. Shared prefixes are shared objects."""

    node: Node
    parent: Path | None = None
    move: Move | None = None
    fetches: frozenset[FetchKey] = field(default_factory=frozenset)
    depth: int = 0

    @property
    def cost(self) -> tuple[int, int]:
        """Fewer requests first, then fewer in a row."""
        return (len(self.fetches), self.depth)

    def moves(self) -> Iterator[tuple[Move, Node]]:
        """Yield each move with the node it leads to, from the root on."""
        found: list[tuple[Move, Node]] = []
        path: Path | None = self
        while path is not None and path.move is not None:
            found.append((path.move, path.node))
            path = path.parent
        return reversed(found)

    def __str__(self) -> str:
        parts = [str(self.root)]
        for move, node in self.moves():
            match move:
                case Take(item=item):
                    parts.append(f".{item.selection.response_name}")
                case Narrow(type_name=name):
                    parts.append(f" …on {name}")
                case Jump():
                    parts.append(f" ⇒({move.fields.text}) {node}")
        return "".join(parts)

    @property
    def root(self) -> Node:
        """Where the path starts."""
        path = self
        while path.parent is not None:
            path = path.parent
        return path.node


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """A leaf of the operation with every path worth considering, the cheapest first."""

    position: Position
    candidates: tuple[Path, ...]
