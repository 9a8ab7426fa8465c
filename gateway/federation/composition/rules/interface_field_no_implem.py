"""INTERFACE_FIELD_NO_IMPLEM: a type lacks a field that its interface has in another subgraph."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.model.element import InterfaceType, ObjectType
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.rules.finding import listed
from gateway.federation.composition.rules.whole import Whole, find_element


def check(whole: Whole) -> Iterator[CompositionError]:
    """Interfaces have all fields of all their versions, and implementations need them all."""
    for element in whole.draft.types.values():
        if not isinstance(element, ObjectType | InterfaceType):
            continue
        for name in element.interfaces:
            interface = whole.draft.types.get(name)
            if not isinstance(interface, InterfaceType):
                continue
            for field in interface.fields.values():
                if field.name in element.fields:
                    continue
                coordinate = f"{name}.{field.name}"
                having = [s.name for s in whole.merge.subgraphs if find_element(s, coordinate) is not None]
                yield whole.error(
                    "INTERFACE_FIELD_NO_IMPLEM",
                    f"the interface `{name}` has the field `{field.name}` in {listed(having)}, "
                    f"but `{element.name}`, which implements it, has no such field in any subgraph",
                    f"{element.name}.{field.name}",
                    coordinate,
                    element.name,
                    mend=f"Add `{field.name}` to `{element.name}`.",
                )
