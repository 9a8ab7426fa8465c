"""A type without a key lacks a field in some subgraph, so that some paths answer less than others.

INCONSISTENT_OBJECT_VALUE_TYPE_FIELD: an object type without a key lacks a field in some subgraph.
INCONSISTENT_INTERFACE_VALUE_TYPE_FIELD: an interface without a key lacks a field in some subgraph.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.hints.noting import hint, presence
from gateway.federation.composition.merge.context import FieldGroup, Merge
from gateway.federation.composition.model.element import InterfaceType, Kind, ObjectType
from gateway.federation.composition.model.result import CompositionHint, HintLevel

_CODES = {
    Kind.OBJECT: "INCONSISTENT_OBJECT_VALUE_TYPE_FIELD",
    Kind.INTERFACE: "INCONSISTENT_INTERFACE_VALUE_TYPE_FIELD",
}


def find(merge: Merge) -> Iterator[CompositionHint]:
    """Types without a key are the same everywhere, or else some paths lack fields that others have."""
    roots = set(merge.outline.roots.values())
    for name, groups in merge.fields.items():
        if name in roots or _has_key(merge, name):
            continue
        for group in groups.values():
            if group.kind is Kind.INTERFACE and merge.provided_by_interface_object(name, group.name):
                continue
            told = presence(merge, group.sources, lambda index, group=group: _is_excused(merge, group, index))  # type: ignore[misc]  # the default binds the loop's group
            if told is not None:
                message = f"`{group.coordinate}` is defined {told}"
                yield hint(merge, _CODES[group.kind], HintLevel.DEBUG, message, group.sources, group.coordinate)


def _has_key(merge: Merge, name: str) -> bool:
    elements = merge.outline.elements(name)
    if merge.outline.kinds[name] is Kind.INTERFACE:
        elements = {index: element for index, element in elements.items() if isinstance(element, InterfaceType)}
    return any(merge.subgraphs[index].has(element, "key") for index, element in elements.items())


def _is_excused(merge: Merge, group: FieldGroup, index: int) -> bool:
    """Does the subgraph not resolve the type at all, or only through an interface object?"""
    subgraph = merge.subgraphs[index]
    element = subgraph.types.get(group.parent)
    if not isinstance(element, ObjectType | InterfaceType) or subgraph.is_interface_object(element):
        return True
    return all((element.name, field) in subgraph.facts.external for field in element.fields)
