"""What merging and its rules look things up in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from gateway.federation.composition.merge.carried import Carried, carried_directives
from gateway.federation.composition.merge.composed import Composed, composed_directives
from gateway.federation.composition.merge.outline import Outline
from gateway.federation.composition.merge.overrides import FieldOverrides, field_overrides
from gateway.federation.composition.merge.sources import Sources
from gateway.federation.composition.model.element import (
    Directive,
    EnumType,
    Field,
    InputType,
    InputValue,
    InterfaceType,
    Kind,
    ObjectType,
)
from gateway.federation.composition.model.subgraph import Subgraph

BUILT_IN_DIRECTIVES = frozenset({"skip", "include", "deprecated", "specifiedBy"})


@dataclass(frozen=True, slots=True)
class FieldGroup:
    """A field of the supergraph and its versions."""

    parent: str
    kind: Kind
    name: str
    sources: Sources[Field]

    @property
    def coordinate(self) -> str:
        """`User.name`."""
        return f"{self.parent}.{self.name}"


@dataclass(frozen=True, slots=True)
class InputFieldGroup:
    """An input field of the supergraph and its versions."""

    parent: str
    name: str
    sources: Sources[InputValue]

    @property
    def coordinate(self) -> str:
        """`Filter.name`."""
        return f"{self.parent}.{self.name}"


@dataclass(frozen=True, eq=False)
class Merge:
    """All subgraphs, arranged for merging."""

    outline: Outline

    @property
    def subgraphs(self) -> tuple[Subgraph, ...]:
        """In order of their names."""
        return self.outline.subgraphs

    @cached_property
    def carried(self) -> Carried:
        """Directives of known specifications that reach the supergraph."""
        return carried_directives(self.subgraphs)

    @cached_property
    def composed(self) -> Composed:
        """Directives that subgraphs compose with `@composeDirective`."""
        return composed_directives(self.subgraphs)

    @cached_property
    def fields(self) -> Mapping[str, Mapping[str, FieldGroup]]:
        """Object or interface type to its fields."""
        return {
            name: self._field_groups(name, kind)
            for name, kind in self.outline.kinds.items()
            if kind in (Kind.OBJECT, Kind.INTERFACE)
        }

    def field_groups(self) -> Iterator[FieldGroup]:
        """All fields of object and interface types."""
        for groups in self.fields.values():
            yield from groups.values()

    def _field_groups(self, name: str, kind: Kind) -> Mapping[str, FieldGroup]:
        candidates: dict[int, ObjectType | InterfaceType | None] = {}
        elements = self.outline.elements(name)
        for index, subgraph in enumerate(self.subgraphs):
            element = elements.get(index)
            if isinstance(element, ObjectType | InterfaceType):
                candidates[index] = element
            elif name in subgraph.types or any(
                subgraph.is_interface_object(subgraph.types[interface])
                for interface in self.outline.interfaces.get(name, ())
                if interface in subgraph.types
            ):
                candidates[index] = None
        names = dict.fromkeys(field for element in candidates.values() if element for field in element.fields)
        return {
            field: FieldGroup(
                name,
                kind,
                field,
                Sources(
                    {index: element.fields.get(field) if element else None for index, element in candidates.items()}
                ),
            )
            for field in names
        }

    @cached_property
    def input_fields(self) -> Mapping[str, Mapping[str, InputFieldGroup]]:
        """Input type to all fields it has anywhere."""
        found = {}
        for name, kind in self.outline.kinds.items():
            if kind is not Kind.INPUT:
                continue
            elements = {
                i: element for i, element in self.outline.elements(name).items() if isinstance(element, InputType)
            }
            names = dict.fromkeys(field for element in elements.values() for field in element.fields)
            found[name] = {
                field: InputFieldGroup(
                    name, field, Sources({index: element.fields.get(field) for index, element in elements.items()})
                )
                for field in names
            }
        return found

    def enums(self) -> Iterator[tuple[str, Mapping[int, EnumType]]]:
        """Enum types and their versions."""
        for name, kind in self.outline.kinds.items():
            if kind is Kind.ENUM:
                yield (
                    name,
                    {i: element for i, element in self.outline.elements(name).items() if isinstance(element, EnumType)},
                )

    @cached_property
    def overrides(self) -> Mapping[str, FieldOverrides]:
        """Field coordinate to what its overrides do; only fields that are overridden."""
        found = {}
        for group in self.field_groups():
            overrides = field_overrides(self.subgraphs, group.parent, group.name, group.sources)
            if overrides.uses:
                found[group.coordinate] = overrides
        return found

    def overrides_of(self, group: FieldGroup) -> FieldOverrides:
        """What the overrides of a field do."""
        return self.overrides.get(group.coordinate) or FieldOverrides()

    def is_external(self, index: int, parent: str, field: str) -> bool:
        """Is the field external in that subgraph?"""
        return (parent, field) in self.subgraphs[index].facts.external

    def without_external(self, group: FieldGroup) -> Sources[Field]:
        """The versions that a subgraph defines, not those it only refers to."""
        return group.sources.keep(lambda index, _: not self.is_external(index, group.parent, group.name))

    def only_external(self, group: FieldGroup) -> Sources[Field]:
        """The versions that only refer to the field."""
        return group.sources.keep(lambda index, _: self.is_external(index, group.parent, group.name))

    def interface_object_fields(self, parent: str, field: str, index: int) -> tuple[tuple[str, Field], ...]:
        """The interface object types through which a subgraph has a field of an object type it does not know."""
        subgraph = self.subgraphs[index]
        if self.outline.kinds.get(parent) is not Kind.OBJECT or parent in subgraph.types:
            return ()
        found = []
        for interface in self.outline.interfaces.get(parent, ()):
            if self.outline.kinds.get(interface) is not Kind.INTERFACE:
                continue
            element = subgraph.types.get(interface)
            if isinstance(element, ObjectType) and field in element.fields:
                found.append((interface, element.fields[field]))
        return tuple(found)

    def provided_by_interface_object(self, interface: str, field: str) -> bool:
        """Does some subgraph give the field to all implementations, through an interface object?"""
        for subgraph in self.subgraphs:
            element = subgraph.types.get(interface)
            if (
                isinstance(element, ObjectType)
                and subgraph.is_interface_object(element)
                and field in element.fields
                and (interface, field) not in subgraph.facts.external
            ):
                return True
        return False

    def is_merged(self, index: int, applied: Directive) -> bool:
        """Does this application reach the supergraph as itself?"""
        subgraph = self.subgraphs[index]
        if applied.name in self.composed.names(subgraph.name):
            return True
        if applied.name in self.carried.through_join:
            return False
        return applied.name in self.carried.by_name or applied.name in BUILT_IN_DIRECTIVES
