"""A normalised subgraph: its elements, and what its federation directives are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from gateway.federation.composition.model.element import (
    Directive,
    DirectiveDefinition,
    Element,
    Field,
    FieldedType,
    InterfaceType,
    NamedType,
    ObjectType,
    SchemaElement,
    UnionType,
)
from gateway.federation.composition.model.facts import Facts, facts_of
from gateway.federation.composition.model.link import Links


@dataclass(frozen=True, eq=False)
class Subgraph:
    """A subgraph that composition can work with."""

    name: str
    url: str
    links: Links
    types: Mapping[str, NamedType]
    """All types but those that linked specifications bring along."""
    definitions: Mapping[str, DirectiveDefinition]
    """Directives by name, those of linked specifications included."""
    schema: SchemaElement
    spellings: Mapping[str, frozenset[str]]
    """Known directive to its names here: `{"key": {"federation__key"}}`."""

    @property
    def is_federation_2(self) -> bool:
        """Does it link the federation specification?"""
        return self.links.federation is not None

    def uses(self, element: Element, directive: str) -> tuple[Directive, ...]:
        """The applications of a known directive to an element, whatever it is called here."""
        if not element.directives:
            return ()
        names = self.spellings.get(directive, frozenset())
        return tuple(applied for applied in element.directives if applied.name in names)

    def use(self, element: Element, directive: str) -> Directive | None:
        """The first application of a known directive."""
        return next(iter(self.uses(element, directive)), None)

    def has(self, element: Element, directive: str) -> bool:
        """Is a known directive applied?"""
        return bool(self.uses(element, directive))

    def fielded(self) -> Iterator[FieldedType]:
        """Its object and interface types."""
        for element in self.types.values():
            if isinstance(element, ObjectType | InterfaceType):
                yield element

    def fields(self) -> Iterator[tuple[FieldedType, Field]]:
        """Every field with its type."""
        for parent in self.fielded():
            for field in parent.fields.values():
                yield parent, field

    def is_interface_object(self, element: NamedType) -> bool:
        """Is it an object type that stands for an interface of other subgraphs?"""
        return isinstance(element, ObjectType) and self.has(element, "interfaceObject")

    @cached_property
    def facts(self) -> Facts:
        """Which of its fields are external, shareable, provided, used."""
        return facts_of(self)

    @cached_property
    def implementers(self) -> Mapping[str, tuple[ObjectType, ...]]:
        """Interface to the object types that implement it here."""
        found: dict[str, list[ObjectType]] = {}
        for element in self.types.values():
            if isinstance(element, ObjectType):
                for interface in element.interfaces:
                    found.setdefault(interface, []).append(element)
        return {name: tuple(types) for name, types in found.items()}

    def possible_types(self, name: str) -> tuple[ObjectType, ...]:
        """The object types that a composite type can be here."""
        match self.types.get(name):
            case ObjectType() as element:
                return (element,)
            case InterfaceType():
                return self.implementers.get(name, ())
            case UnionType(members=members):
                found = (self.types.get(member) for member in members)
                return tuple(member for member in found if isinstance(member, ObjectType))
            case _:
                return ()
