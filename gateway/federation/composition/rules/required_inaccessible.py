"""REQUIRED_INACCESSIBLE: clients have to send something that they can't see."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.model.element import InputType, InterfaceType, ObjectType
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.rules.whole import Whole

_MEND = "Make it nullable or give it a default."


def check(whole: Whole) -> Iterator[CompositionError]:
    """Hidden arguments and input fields are optional."""
    for parent, field in whole.visible_fields():
        for argument in field.arguments.values():
            coordinate = f"{parent.name}.{field.name}({argument.name}:)"
            if not whole.is_inaccessible(argument):
                continue
            if argument.is_required:
                yield whole.error(
                    "REQUIRED_INACCESSIBLE", f"`{coordinate}` is @inaccessible, but required", coordinate, mend=_MEND
                )
            if isinstance(parent, InterfaceType):
                yield from _implementations(whole, parent, field.name, argument.name)
    for element in whole.draft.types.values():
        if isinstance(element, InputType) and not whole.is_inaccessible(element):
            for input_field in element.fields.values():
                if input_field.is_required and whole.is_inaccessible(input_field):
                    coordinate = f"{element.name}.{input_field.name}"
                    yield whole.error(
                        "REQUIRED_INACCESSIBLE",
                        f"`{coordinate}` is @inaccessible, but required",
                        coordinate,
                        mend=_MEND,
                    )
    for definition in whole.draft.definitions.values():
        for argument in definition.arguments.values():
            if argument.is_required and whole.is_inaccessible(argument):
                coordinate = f"@{definition.name}({argument.name}:)"
                yield whole.error(
                    "REQUIRED_INACCESSIBLE", f"`{coordinate}` is @inaccessible, but required", coordinate, mend=_MEND
                )


def _implementations(whole: Whole, parent: InterfaceType, field: str, argument: str) -> Iterator[CompositionError]:
    for element in whole.draft.types.values():
        if not isinstance(element, ObjectType | InterfaceType) or parent.name not in element.interfaces:
            continue
        version = element.fields.get(field)
        implementing = version.arguments.get(argument) if version else None
        hidden = whole.is_inaccessible(element) or version is None or whole.is_inaccessible(version)
        if implementing and not hidden and implementing.is_required and not whole.is_inaccessible(implementing):
            coordinate = f"{element.name}.{field}({argument}:)"
            yield whole.error(
                "REQUIRED_INACCESSIBLE",
                f"`{parent.name}.{field}({argument}:)` is @inaccessible, but `{coordinate}` implements it and is required",
                f"{parent.name}.{field}({argument}:)",
                coordinate,
                mend=_MEND,
            )
