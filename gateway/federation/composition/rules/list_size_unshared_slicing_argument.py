"""LIST_SIZE_INVALID_SLICING_ARGUMENT: @listSize names an argument that clients of the supergraph can't send."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gateway.federation.composition.model.element import InputType, InputValue, InterfaceType, ObjectType
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.type_reference import named_type
from gateway.federation.composition.rules.whole import Whole


def check(whole: Whole) -> Iterator[CompositionError]:
    """Arguments that only some subgraphs have don't reach the supergraph, so no list can be sized by them."""
    name = whole.draft.carried.get("listSize")
    for parent in whole.draft.types.values() if name else ():
        if not isinstance(parent, ObjectType | InterfaceType):
            continue
        for field in parent.fields.values():
            for applied in field.directives:
                for path in applied.value("slicingArguments") or () if applied.name == name else ():
                    if not _is_known(path.split("."), field.arguments, whole):
                        argument = path.partition(".")[0]
                        coordinate = f"{parent.name}.{field.name}"
                        yield whole.error(
                            "LIST_SIZE_INVALID_SLICING_ARGUMENT",
                            f"@listSize on `{coordinate}` slices by `{path}`, which not all subgraphs know, "
                            f"so clients can't send it",
                            f"{coordinate}({argument}:)",
                            coordinate,
                            mend=f"Add the argument `{path}` to `{coordinate}` everywhere.",
                        )


def _is_known(path: list[str], values: Mapping[str, InputValue], whole: Whole) -> bool:
    """Tell whether clients of the supergraph can send an argument, or the field of one that a path leads to."""
    value = values.get(path[0])
    if value is None or len(path) == 1:
        return value is not None
    within = whole.draft.types.get(named_type(value.type))
    return isinstance(within, InputType) and _is_known(path[1:], within.fields, whole)
