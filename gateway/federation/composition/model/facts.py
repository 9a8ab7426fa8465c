"""What follows from a subgraph's directives: which fields are external, shareable, provided, used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.federation.composition.model.element import Field, FieldedType, InterfaceType, ObjectType
from gateway.federation.composition.model.field_set import Coordinate, of_directive, reached, try_parse_field_set
from gateway.federation.composition.model.selected_context import parse_selected_context
from gateway.federation.composition.model.type_reference import named_type

if TYPE_CHECKING:
    from gateway.federation.composition.model.subgraph import Subgraph


@dataclass(frozen=True, slots=True)
class Facts:
    """Sets of field coordinates."""

    external: frozenset[Coordinate]
    """Marked @external, and truly so."""
    fake_external: frozenset[Coordinate]
    """Key fields of an extension: marked @external by custom, yet resolved here."""
    provided: frozenset[Coordinate]
    """Reached by some @provides."""
    shareable: frozenset[Coordinate]
    """Key fields, @shareable fields, and external fields that are provided."""
    used: frozenset[Coordinate]
    """Mentioned in a federation directive, or needed to satisfy an interface."""

    def is_fully_external(self, coordinate: Coordinate) -> bool:
        """Can this subgraph never resolve the field?"""
        return coordinate in self.external and coordinate not in self.provided


def facts_of(subgraph: Subgraph) -> Facts:
    """All facts of a subgraph."""
    provided = frozenset(_provided(subgraph))
    fake = frozenset(_fake_external(subgraph))
    external = frozenset(_external(subgraph)) - fake
    shareable = frozenset(_shareable(subgraph, external))
    return Facts(external, fake, provided, shareable, frozenset(_used(subgraph)))


def _coordinate(pair: tuple[FieldedType, Field]) -> Coordinate:
    return pair[0].name, pair[1].name


def _fake_external(subgraph: Subgraph) -> Iterator[Coordinate]:
    for parent in subgraph.fielded():
        extends = subgraph.has(parent, "extends")
        for key in subgraph.uses(parent, "key"):
            if extends or key.extension is not None or not parent.has_definition:
                for pair in reached(subgraph, parent.name, of_directive(key), implementations=False):
                    if subgraph.has(pair[1], "external"):
                        yield _coordinate(pair)


def _external(subgraph: Subgraph) -> Iterator[Coordinate]:
    for parent, field in subgraph.fields():
        on_type = subgraph.is_federation_2 and isinstance(parent, ObjectType) and subgraph.has(parent, "external")
        if on_type or subgraph.has(field, "external"):
            yield parent.name, field.name


def _provided(subgraph: Subgraph) -> Iterator[Coordinate]:
    for _, field in subgraph.fields():
        for provides in subgraph.uses(field, "provides"):
            selection = of_directive(provides)
            yield from map(_coordinate, reached(subgraph, named_type(field.type), selection, implementations=True))


def _shareable(subgraph: Subgraph, external: frozenset[Coordinate]) -> Iterator[Coordinate]:
    for parent in subgraph.fielded():
        for key in subgraph.uses(parent, "key"):
            yield from map(_coordinate, reached(subgraph, parent.name, of_directive(key), implementations=True))
        if not isinstance(parent, ObjectType):
            continue
        marks = {mark.extension for mark in subgraph.uses(parent, "shareable")}
        for field in parent.fields.values():
            if field.extension in marks or subgraph.has(field, "shareable"):
                yield parent.name, field.name
    yield from (coordinate for coordinate in _provided(subgraph) if coordinate in external)


def _used(subgraph: Subgraph) -> Iterator[Coordinate]:
    yield from _used_in_field_sets(subgraph)
    yield from _used_in_contexts(subgraph)
    for element in subgraph.types.values():
        if isinstance(element, InterfaceType):
            for implementer in subgraph.implementers.get(element.name, ()):
                for name in element.fields:
                    if name in implementer.fields:
                        yield implementer.name, name


def _used_in_field_sets(subgraph: Subgraph) -> Iterator[Coordinate]:
    for parent in subgraph.fielded():
        for key in subgraph.uses(parent, "key"):
            yield from map(_coordinate, reached(subgraph, parent.name, of_directive(key), implementations=True))
        for field in parent.fields.values():
            for requires in subgraph.uses(field, "requires"):
                selection = of_directive(requires)
                yield from map(_coordinate, reached(subgraph, parent.name, selection, implementations=True))
    yield from _provided(subgraph)


def _used_in_contexts(subgraph: Subgraph) -> Iterator[Coordinate]:
    places: dict[str, list[str]] = {}
    for element in subgraph.types.values():
        for context in subgraph.uses(element, "context"):
            places.setdefault(context.text("name") or "", []).append(element.name)
    if not places:
        return
    for _, field in subgraph.fields():
        for argument in field.arguments.values():
            for applied in subgraph.uses(argument, "fromContext"):
                name, text = parse_selected_context(applied.text("field"))
                selection = try_parse_field_set(text)
                for place in places.get(name or "", ()):
                    yield from map(_coordinate, reached(subgraph, place, selection, implementations=True))
