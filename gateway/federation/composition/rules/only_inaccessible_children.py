"""ONLY_INACCESSIBLE_CHILDREN: clients see a type, but nothing in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.federation.composition.model.element import (
    Element,
    EnumType,
    InputType,
    InterfaceType,
    NamedType,
    ObjectType,
    ScalarType,
    UnionType,
)
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.rules.whole import Whole


def check(whole: Whole) -> Iterator[CompositionError]:
    """A visible type has a visible field, value or member."""
    for element in whole.draft.types.values():
        if whole.is_inaccessible(element):
            continue
        what, children = _children(whole, element)
        if children and all(whole.is_inaccessible(child) for child in children):
            yield whole.error(
                "ONLY_INACCESSIBLE_CHILDREN",
                f"`{element.name}` is visible to clients, but all its {what} are @inaccessible",
                element.name,
                mend=f"Mark `{element.name}` itself @inaccessible.",
            )


def _children(whole: Whole, element: NamedType) -> tuple[str, Sequence[Element]]:
    match element:
        case ObjectType() | InterfaceType():
            return "fields", tuple(element.fields.values())
        case InputType():
            return "input fields", tuple(element.fields.values())
        case EnumType():
            return "values", tuple(element.values.values())
        case UnionType():
            return "members", tuple(whole.draft.types[name] for name in element.members if name in whole.draft.types)
        case ScalarType():
            return "", ()
