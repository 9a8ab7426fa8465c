"""The supergraph while it is being composed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from gateway.federation.composition.model.element import (
    DirectiveDefinition,
    EnumType,
    EnumValue,
    InterfaceType,
    NamedType,
    ObjectType,
    SchemaElement,
    UnionType,
    directive,
)


@dataclass(frozen=True, eq=False)
class SupergraphDraft:
    """Merged elements, and the names that known directives have among them."""

    types: Mapping[str, NamedType]
    definitions: Mapping[str, DirectiveDefinition]
    """The subgraphs' own directives."""
    schema: SchemaElement
    graphs: tuple[tuple[str, str, str], ...]
    """Value of `join__Graph`, subgraph name, URL."""
    carried: Mapping[str, str]
    """Known directive to its name in the supergraph."""
    specifications: str
    """SDL of what the linked specifications define."""

    @property
    def graph_enum(self) -> EnumType:
        """`join__Graph`: a value for each subgraph."""
        values = {
            graph: EnumValue(name=graph, directives=(directive("join__graph", name=name, url=url),))
            for graph, name, url in self.graphs
        }
        return EnumType(name="join__Graph", values=values)

    @cached_property
    def implementers(self) -> Mapping[str, tuple[str, ...]]:
        """Interface to the object types that implement it."""
        found: dict[str, list[str]] = {}
        for element in self.types.values():
            if isinstance(element, ObjectType):
                for interface in element.interfaces:
                    found.setdefault(interface, []).append(element.name)
        return {name: tuple(types) for name, types in found.items()}

    def possible_types(self, name: str) -> tuple[str, ...]:
        """The object types that a composite type can be."""
        match self.types.get(name):
            case ObjectType():
                return (name,)
            case UnionType(members=members):
                return members
            case InterfaceType():
                return self.implementers.get(name, ())
            case _:
                return ()
