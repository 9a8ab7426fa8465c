"""IMPLEMENTED_BY_INACCESSIBLE: clients see an interface's field or argument, but not the one that implements it."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.model.element import Field, InterfaceType, ObjectType
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.rules.whole import Whole

_CODE = "IMPLEMENTED_BY_INACCESSIBLE"


def check(whole: Whole) -> Iterator[CompositionError]:
    """A visible type shows all that its visible interfaces promise."""
    for element in whole.draft.types.values():
        if not isinstance(element, ObjectType | InterfaceType) or whole.is_inaccessible(element):
            continue
        for name in element.interfaces:
            interface = whole.draft.types.get(name)
            if not isinstance(interface, InterfaceType) or whole.is_inaccessible(interface):
                continue
            for field in element.fields.values():
                promised = interface.fields.get(field.name)
                if promised is None or whole.is_inaccessible(promised):
                    continue
                if whole.is_inaccessible(field):
                    coordinate = f"{element.name}.{field.name}"
                    yield whole.error(
                        _CODE,
                        f"`{coordinate}` is @inaccessible, but implements `{name}.{field.name}`, which clients see",
                        coordinate,
                        f"{name}.{field.name}",
                        mend=f"Mark `{name}.{field.name}` @inaccessible too.",
                    )
                else:
                    yield from _arguments(whole, element.name, field, name, promised)


def _arguments(whole: Whole, parent: str, field: Field, interface: str, promised: Field) -> Iterator[CompositionError]:
    for argument in field.arguments.values():
        original = promised.arguments.get(argument.name)
        if original is not None and whole.is_inaccessible(argument) and not whole.is_inaccessible(original):
            coordinate = f"{parent}.{field.name}({argument.name}:)"
            promised_coordinate = f"{interface}.{field.name}({argument.name}:)"
            yield whole.error(
                _CODE,
                f"`{coordinate}` is @inaccessible, but implements `{promised_coordinate}`, which clients see",
                coordinate,
                promised_coordinate,
                mend=f"Mark `{promised_coordinate}` @inaccessible too.",
            )
