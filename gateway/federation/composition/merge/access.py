"""Access control across interfaces: an interface asks for what its implementations ask for, an implementation for what
its interface objects ask for.

Spec: https://specs.apollo.dev/authenticated/v0.1/, https://specs.apollo.dev/requiresScopes/v0.1/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gateway.federation.composition.merge.carried import ACCESS_CONTROL
from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.model.element import Directive, Kind, ObjectType

_Inherited = Mapping[str, Sequence[Directive]]


def inherited_by_type(merge: Merge, name: str) -> _Inherited:
    """What an interface inherits from the types that implement it."""
    found: dict[str, list[Directive]] = {}
    if _is_access_controlled(merge) and merge.outline.kinds.get(name) is Kind.INTERFACE:
        for implementer in merge.outline.implementers.get(name, ()):
            for index, subgraph in enumerate(merge.subgraphs):
                element = subgraph.types.get(implementer)
                if isinstance(element, ObjectType):
                    _collect(merge, index, element.directives, found)
    return found


def inherited_by_field(merge: Merge, parent: str, name: str) -> _Inherited:
    """What a field inherits: upwards to interfaces, downwards from interface objects, and sideways through both."""
    found: dict[str, list[Directive]] = {}
    kind = merge.outline.kinds.get(parent)
    if not _is_access_controlled(merge):
        return found
    if kind is Kind.INTERFACE:
        for implementer in merge.outline.implementers.get(parent, ()):
            _from_versions(merge, implementer, name, found, interface_objects=False)
        for other in dict.fromkeys(_sibling_interfaces(merge, parent)):
            _from_versions(merge, other, name, found, interface_objects=True)
    elif kind is Kind.OBJECT:
        for interface in merge.outline.interfaces.get(parent, ()):
            _from_versions(merge, interface, name, found, interface_objects=True)
    return found


def _is_access_controlled(merge: Merge) -> bool:
    return any(merge.carried.name_of(directive) for directive in ACCESS_CONTROL)


def _sibling_interfaces(merge: Merge, interface: str) -> Iterator[str]:
    for implementer in merge.outline.implementers.get(interface, ()):
        yield from (other for other in merge.outline.interfaces.get(implementer, ()) if other != interface)


def _from_versions(
    merge: Merge, type_name: str, field_name: str, found: dict[str, list[Directive]], *, interface_objects: bool
) -> None:
    for index, subgraph in enumerate(merge.subgraphs):
        element = subgraph.types.get(type_name)
        if not isinstance(element, ObjectType) or subgraph.is_interface_object(element) != interface_objects:
            continue
        field = element.fields.get(field_name)
        if field is not None and (type_name, field_name) not in subgraph.facts.external:
            _collect(merge, index, field.directives, found)


def _collect(merge: Merge, index: int, applied: Sequence[Directive], found: dict[str, list[Directive]]) -> None:
    subgraph = merge.subgraphs[index]
    for directive in ACCESS_CONTROL:
        name = merge.carried.name_of(directive)
        for application in applied if name else ():
            if application.name in subgraph.spellings.get(directive, ()):
                found.setdefault(name or "", []).append(application)
