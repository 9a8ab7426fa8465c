"""The supergraph while it is being composed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.federation.composition.model.element import (
    DirectiveDefinition,
    InterfaceType,
    NamedType,
    ObjectType,
    SchemaElement,
    UnionType,
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

    def possible_types(self, name: str) -> tuple[str, ...]:
        """The object types that a composite type can be."""
        match self.types.get(name):
            case ObjectType():
                return (name,)
            case UnionType(members=members):
                return members
            case InterfaceType():
                return tuple(
                    other.name
                    for other in self.types.values()
                    if isinstance(other, ObjectType) and name in other.interfaces
                )
            case _:
                return ()
