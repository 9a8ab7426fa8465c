"""REFERENCED_INACCESSIBLE: something clients see has a type that they don't."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.type_reference import named_type
from gateway.federation.composition.rules.whole import Whole


def check(whole: Whole) -> Iterator[CompositionError]:
    """Fields and arguments of hidden types are hidden."""
    references = [(f"{parent.name}.{field.name}", field.type) for parent, field in whole.visible_fields()]
    references.extend((coordinate, value.type) for coordinate, value in whole.visible_inputs())
    for coordinate, reference in references:
        name = named_type(reference)
        if name in whole.draft.types and not whole.is_visible_type(name):
            yield whole.error(
                "REFERENCED_INACCESSIBLE",
                f"`{name}` is @inaccessible, but `{coordinate}`, which clients see, is of that type",
                coordinate,
                name,
                mend=f"Mark `{coordinate}` @inaccessible too.",
            )
