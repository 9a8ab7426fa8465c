"""DEFAULT_VALUE_USES_INACCESSIBLE: a visible default contains a hidden enum value or input field."""

from __future__ import annotations

from collections.abc import Iterator

from graphql import EnumValueNode, ListValueNode, ObjectValueNode, ValueNode

from gateway.federation.composition.model.element import EnumType, InputType
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.type_reference import ListOf, TypeReference, named_type, nullable
from gateway.federation.composition.rules.whole import Whole


def check(whole: Whole) -> Iterator[CompositionError]:
    """Clients see defaults, so defaults consist of what clients see."""
    for coordinate, value in whole.visible_inputs():
        if value.default is None:
            continue
        for hidden in dict.fromkeys(_hidden(whole, value.default, value.type)):
            yield whole.error(
                "DEFAULT_VALUE_USES_INACCESSIBLE",
                f"`{hidden}` is @inaccessible, but the default of `{coordinate}`, which clients see, uses it",
                hidden,
                coordinate,
                mend="Choose another default.",
            )


def _hidden(whole: Whole, node: ValueNode, reference: TypeReference) -> Iterator[str]:
    bare = nullable(reference)
    if isinstance(node, ListValueNode):
        for item in node.values:
            yield from _hidden(whole, item, bare.of if isinstance(bare, ListOf) else bare)
        return
    element = whole.draft.types.get(named_type(reference))
    if isinstance(node, EnumValueNode) and isinstance(element, EnumType):
        value = element.values.get(node.value)
        if value is not None and whole.is_inaccessible(value):
            yield f"{element.name}.{value.name}"
    elif isinstance(node, ObjectValueNode) and isinstance(element, InputType):
        for part in node.fields:
            field = element.fields.get(part.name.value)
            if field is None:
                continue
            if whole.is_inaccessible(field):
                yield f"{element.name}.{field.name}"
            yield from _hidden(whole, part.value, field.type)
