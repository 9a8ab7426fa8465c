"""What the supergraph contains, before any of it is merged: types by kind, who implements what, union members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from gateway.federation.composition.model.element import (
    InterfaceType,
    Kind,
    NamedType,
    ObjectType,
    UnionType,
    kind_of,
)
from gateway.federation.composition.model.subgraph import Subgraph


@dataclass(frozen=True, eq=False)
class Outline:
    """All subgraphs at a glance."""

    subgraphs: tuple[Subgraph, ...]
    """In order of their names; other parts refer to them by index."""

    @cached_property
    def graph_names(self) -> tuple[str, ...]:
        """Each subgraph's value of the enum `join__Graph`."""
        plain = [_enum_name(subgraph.name) for subgraph in self.subgraphs]
        seen: dict[str, int] = {}
        names = []
        for name in plain:
            if plain.count(name) == 1:
                names.append(name)
                continue
            seen[name] = seen.get(name, 0) + 1
            names.append(f"{name}_{seen[name]}")
        return tuple(names)

    @cached_property
    def kinds(self) -> Mapping[str, Kind]:
        """Type to its kind in the supergraph: that of the first subgraph which has it."""
        found: dict[str, Kind] = {}
        for subgraph in self.subgraphs:
            for name, element in subgraph.types.items():
                found.setdefault(name, merged_kind(subgraph, element))
        return found

    @cached_property
    def holders(self) -> Mapping[str, tuple[int, ...]]:
        """Type to the subgraphs that have one of that name, of whatever kind."""
        found: dict[str, list[int]] = {}
        for index, subgraph in enumerate(self.subgraphs):
            for name in subgraph.types:
                found.setdefault(name, []).append(index)
        return {name: tuple(indices) for name, indices in found.items()}

    @cached_property
    def _elements(self) -> Mapping[str, Mapping[int, NamedType]]:
        found: dict[str, dict[int, NamedType]] = {name: {} for name in self.kinds}
        for index, subgraph in enumerate(self.subgraphs):
            for name, element in subgraph.types.items():
                if merged_kind(subgraph, element) == self.kinds[name]:
                    found[name][index] = element
        return found

    def elements(self, name: str) -> Mapping[int, NamedType]:
        """Subgraph index to its version of a type, where that is of the supergraph's kind."""
        return self._elements[name]

    @cached_property
    def interface_objects(self) -> Mapping[str, tuple[int, ...]]:
        """Interface to the subgraphs in which an interface object stands for it."""
        return {
            name: standing
            for name, indices in self.holders.items()
            if (
                standing := tuple(
                    index
                    for index in indices
                    if self.subgraphs[index].is_interface_object(self.subgraphs[index].types[name])
                )
            )
        }

    @cached_property
    def interfaces(self) -> Mapping[str, tuple[str, ...]]:
        """Object or interface type to the interfaces it implements in any subgraph."""
        found: dict[str, dict[str, None]] = {}
        for name, kind in self.kinds.items():
            if kind in (Kind.OBJECT, Kind.INTERFACE):
                for element in self.elements(name).values():
                    if isinstance(element, ObjectType | InterfaceType):
                        found.setdefault(name, {}).update(dict.fromkeys(element.interfaces))
        return {name: tuple(interfaces) for name, interfaces in found.items()}

    @cached_property
    def members(self) -> Mapping[str, tuple[str, ...]]:
        """Union to its members in any subgraph."""
        found: dict[str, dict[str, None]] = {}
        for name, kind in self.kinds.items():
            if kind is Kind.UNION:
                for element in self.elements(name).values():
                    if isinstance(element, UnionType):
                        found.setdefault(name, {}).update(dict.fromkeys(element.members))
        return {name: tuple(members) for name, members in found.items()}

    @cached_property
    def implementers(self) -> Mapping[str, tuple[str, ...]]:
        """Interface to the object types that implement it in any subgraph."""
        found: dict[str, list[str]] = {}
        for name, interfaces in self.interfaces.items():
            if self.kinds[name] is Kind.OBJECT:
                for interface in interfaces:
                    found.setdefault(interface, []).append(name)
        return {name: tuple(types) for name, types in found.items()}

    @cached_property
    def roots(self) -> Mapping[str, str]:
        """Operation kind to root type, for those that have a field in some subgraph."""
        found = {}
        for kind in ("query", "mutation", "subscription"):
            for subgraph in self.subgraphs:
                name = subgraph.schema.roots.get(kind)
                element = subgraph.types.get(name) if name else None
                if name and isinstance(element, ObjectType) and element.fields:
                    found[kind] = name
        return found

    def is_direct_subtype(self, abstract: str, name: str) -> bool:
        """Does a type implement the interface, or belong to the union, in the supergraph?"""
        return name in self.members.get(abstract, ()) or abstract in self.interfaces.get(name, ())

    def names(self, indices: Sequence[int]) -> tuple[str, ...]:
        """The names of subgraphs by index."""
        return tuple(self.subgraphs[index].name for index in indices)


def merged_kind(subgraph: Subgraph, element: NamedType) -> Kind:
    """The kind a subgraph's type has in the supergraph: an interface object stands for an interface."""
    return Kind.INTERFACE if subgraph.is_interface_object(element) else kind_of(element)


def _enum_name(name: str) -> str:
    """The field's convention: `my-reviews` becomes `MY_REVIEWS`."""
    text = "".join(char if char.isascii() and (char.isalnum() or char == "_") else "_" for char in name)
    if text[:1].isdigit():
        text = f"_{text}"
    if _ends_in_counter(text):
        text += "_"
    return text.upper()


def _ends_in_counter(text: str) -> bool:
    """`x_1` is what a second `x` is called, so a subgraph of that name steps aside."""
    _, underscore, tail = text.rpartition("_")
    return bool(underscore) and tail.isdigit()
