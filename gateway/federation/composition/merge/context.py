"""What merging and its rules look things up in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import TypeVar, cast

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

T = TypeVar("T")
BUILT_IN_DIRECTIVES = frozenset({"skip", "include", "deprecated", "specifiedBy"})


@dataclass(frozen=True, slots=True)
class FieldGroup:
    """A field of the supergraph and its versions."""

    parent: str
    kind: Kind
    name: str
    sources: Sources[Field]
    resolving: Sources[Field]
    """The versions that a subgraph defines; those that only refer to the field count as missing."""
    external: frozenset[int] = frozenset()
    """The subgraphs that only refer to the field."""

    @property
    def referring(self) -> Sources[Field]:
        """The versions that only refer to the field; the others count as missing."""
        return self.sources.keep(lambda index, _: index in self.external)

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
    _answers: dict[Callable[[Merge], object], object] = field(default_factory=dict)

    def once(self, ask: Callable[[Merge], T]) -> T:
        """What a function says about this merge; several rules may ask for it, and it is worked out once."""
        if ask not in self._answers:
            self._answers[ask] = ask(self)
        return cast("T", self._answers[ask])

    @cached_property
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
        standing = (self.outline.interface_objects.get(each, ()) for each in self.outline.interfaces.get(name, ()))
        for index in sorted({*self.outline.holders[name], *chain.from_iterable(standing)}):
            element = elements.get(index)
            candidates[index] = element if isinstance(element, ObjectType | InterfaceType) else None
        names = dict.fromkeys(field for element in candidates.values() if element for field in element.fields)
        return {
            field: self._field_group(
                name, kind, field, {i: each.fields.get(field) if each else None for i, each in candidates.items()}
            )
            for field in names
        }

    def _field_group(self, parent: str, kind: Kind, name: str, versions: Mapping[int, Field | None]) -> FieldGroup:
        external = frozenset(i for i, each in versions.items() if each and self.is_external(i, parent, name))
        sources = Sources(versions)
        resolving = sources.keep(lambda index, _: index not in external) if external else sources
        return FieldGroup(parent, kind, name, sources, resolving, external)

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

    @cached_property
    def _unresolved(self) -> frozenset[str]:
        return frozenset(group.coordinate for group in self.field_groups() if self._lacks_resolver(group))

    def is_unresolved(self, group: FieldGroup) -> bool:
        """Does nobody resolve the field, not even through an interface object?"""
        return group.coordinate in self._unresolved

    def _lacks_resolver(self, group: FieldGroup) -> bool:
        if not group.external:
            return False
        for index, version in group.sources.by_index.items():
            if version is not None:
                if index not in group.external:
                    return False
            elif any(
                not self.is_external(index, interface, group.name)
                for interface, _ in self.interface_object_fields(group.parent, group.name, index)
            ):
                return False
        return True

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
        for index in self.outline.interface_objects.get(interface, ()):
            element = self.subgraphs[index].types[interface]
            if (
                isinstance(element, ObjectType)
                and field in element.fields
                and not self.is_external(index, interface, field)
            ):
                return True
        return False

    def is_merged(self, index: int, applied: Directive) -> bool:
        """Does this application reach the supergraph as itself?"""
        subgraph = self.subgraphs[index]
        if applied.name in self.composed.names.get(subgraph.name, ()):
            return True
        if applied.name in self.carried.through_join:
            return False
        return applied.name in self.carried.by_name or applied.name in BUILT_IN_DIRECTIVES
