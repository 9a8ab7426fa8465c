"""LIST_SIZE_INVALID_SLICING_ARGUMENT: @listSize names an argument that clients of the supergraph can't send."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.model.element import InterfaceType, ObjectType
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.rules.whole import Whole


def check(whole: Whole) -> Iterator[CompositionError]:
    """Arguments that only some subgraphs have don't reach the supergraph, so no list can be sized by them."""
    name = whole.draft.carried.get("listSize")
    for parent in whole.draft.types.values() if name else ():
        if not isinstance(parent, ObjectType | InterfaceType):
            continue
        for field in parent.fields.values():
            for applied in field.directives:
                for argument in applied.value("slicingArguments") or () if applied.name == name else ():
                    if argument not in field.arguments:
                        coordinate = f"{parent.name}.{field.name}"
                        yield whole.error(
                            "LIST_SIZE_INVALID_SLICING_ARGUMENT",
                            f"@listSize on `{coordinate}` slices by `{argument}`, which not all subgraphs know, "
                            f"so clients can't send it",
                            f"{coordinate}({argument}:)",
                            coordinate,
                            mend=f"Add the argument `{argument}` to `{coordinate}` everywhere.",
                        )
