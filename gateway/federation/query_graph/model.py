"""Nodes and edges of the query graph."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.federation.supergraph import FieldSet, Selection, SubgraphField, SubgraphType, TypeKind


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A type in a subgraph: one place where resolution can stand. Compared by identity; a graph has one of each."""

    id: int
    subgraph: str
    type: SubgraphType
    provided: tuple[Selection, ...] = ()
    """What `@provides` on the way here adds to the type's own fields."""

    @property
    def is_abstract(self) -> bool:
        """Whether the type of an object found here is only known at run time from its `__typename`."""
        return self.type.kind in (TypeKind.INTERFACE, TypeKind.UNION) and not self.type.is_interface_object

    @property
    def is_interface_object(self) -> bool:
        """Whether objects found here have an interface's name as their `__typename`."""
        return self.type.is_interface_object

    def __str__(self) -> str:
        return f"{self.subgraph}.{self.type.name}{'+provided' if self.provided else ''}"

    def __repr__(self) -> str:
        return f"<{self}>"


@dataclass(frozen=True, slots=True, eq=False)
class FieldEdge:
    """A field that a subgraph can resolve on objects of a node."""

    source: Node
    field: SubgraphField
    target: Node | None
    """Where its value is; None for leaves."""
    requires: FieldSet | None = None
    """Fields of other subgraphs that a representation must carry: then the field is reached only by entering."""

    @property
    def is_plain(self) -> bool:
        """Whether the field can be taken where one stands, with nothing to be sent along."""
        return self.requires is None and not self.field.context_arguments

    def __str__(self) -> str:
        requires = f" requires({self.requires.text})" if self.requires else ""
        return f"{self.source} -{self.field.name}{requires}-> {self.target or self.field.type.text}"


@dataclass(frozen=True, slots=True, eq=False)
class KeyEdge:
    """An entity seen in one subgraph can be entered in another through `_entities`."""

    source: Node
    target: Node
    key: FieldSet
    """What must be known at `source`, or gathered elsewhere, to make a representation."""

    def __str__(self) -> str:
        return f"{self.source} -key({self.key.text})-> {self.target}"


@dataclass(slots=True)
class EdgeCache:
    """What a graph has already worked out about one node."""

    fields: dict[str, FieldEdge | None] = field(default_factory=dict)
    common_fields: dict[str, FieldEdge | None] = field(default_factory=dict)
    keys: tuple[KeyEdge, ...] | None = None
    narrowed: dict[str, Node | None] = field(default_factory=dict)
