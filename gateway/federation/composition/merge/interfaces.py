"""Merges interfaces, and gives implementations the fields that only interface objects have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gateway.federation.composition.merge.access import inherited_by_field, inherited_by_type
from gateway.federation.composition.merge.applications import merge_applications, merge_uses
from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.descriptions import merge_descriptions
from gateway.federation.composition.merge.fields import merge_field
from gateway.federation.composition.merge.join import join_implements, join_types
from gateway.federation.composition.merge.sources import Sources
from gateway.federation.composition.model.element import (
    Directive,
    Field,
    InputValue,
    InterfaceType,
    NamedType,
    ObjectType,
)


def merge_interface(merge: Merge, name: str) -> InterfaceType:
    """The supergraph's interface, from interfaces and interface objects."""
    elements = merge.outline.elements(name)
    sources = Sources(elements)
    return InterfaceType(
        name=name,
        description=merge_descriptions(sources),
        directives=(
            *join_implements(merge.outline, elements),
            *join_types(merge.outline, elements),
            *merge_applications(merge, sources, inherited_by_type(merge, name)),
        ),
        interfaces=merge.outline.interfaces.get(name, ()),
        fields={field: merge_field(merge, group) for field, group in merge.fields[name].items()},
    )


def add_interface_object_fields(merge: Merge, types: Mapping[str, NamedType]) -> dict[str, NamedType]:
    """All types, with the fields that interface objects contribute added to the implementations that lack them."""
    return {
        name: _completed(merge, element, types) if isinstance(element, ObjectType) else element
        for name, element in types.items()
    }


def _completed(merge: Merge, element: ObjectType, types: Mapping[str, NamedType]) -> ObjectType:
    fields = dict(element.fields)
    for interface_name in element.interfaces:
        interface = types.get(interface_name)
        if not isinstance(interface, InterfaceType):
            continue
        for field in interface.fields.values():
            if not merge.provided_by_interface_object(interface_name, field.name):
                continue
            existing = fields.get(field.name)
            if existing is None:
                fields[field.name] = _contributed(merge, element.name, field)
            elif _is_fully_external(existing):
                fields[field.name] = replace(
                    existing, directives=(*existing.directives, *_own_directives(merge, element.name, field))
                )
    return (
        replace(element, fields=fields) if len(fields) != len(element.fields) or fields != element.fields else element
    )


def _is_fully_external(field: Field) -> bool:
    joins = [applied for applied in field.directives if applied.name == "join__field"]
    return bool(joins) and all(applied.value("external") is True for applied in joins)


def _contributed(merge: Merge, parent: str, field: Field) -> Field:
    arguments = {name: _without_joins(argument) for name, argument in field.arguments.items()}
    joins = Directive("join__field", {})
    return replace(field, directives=(joins, *_own_directives(merge, parent, field)), arguments=arguments)


def _own_directives(merge: Merge, parent: str, field: Field) -> tuple[Directive, ...]:
    """The interface field's directives, its access control computed anew for the implementation."""
    access = {merge.carried.name_of(name) for name in ("authenticated", "requiresScopes", "policy")}
    copied = tuple(
        applied for applied in field.directives if not applied.name.startswith("join__") and applied.name not in access
    )
    inherited = tuple(
        merged
        for name, uses in inherited_by_field(merge, parent, field.name).items()
        for merged in merge_uses(merge, name, [(-1, use) for use in uses])
    )
    return (*inherited, *copied)


def _without_joins(argument: InputValue) -> InputValue:
    kept = tuple(applied for applied in argument.directives if not applied.name.startswith("join__"))
    return replace(argument, directives=kept)
