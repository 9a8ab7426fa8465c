"""LIST_SIZE_INVALID_SIZED_FIELD: `sizedFields` names what is no field of the returned type."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.model.element import InterfaceType, ObjectType, UnionType
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.model.type_reference import named_type
from gateway.federation.composition.rules.finding import in_subgraph
from gateway.federation.composition.rules.list_size_uses import list_size_uses


def check(subgraph: Subgraph) -> Iterator[CompositionError]:
    """Sized fields are fields of the type that the field returns."""
    for use in list_size_uses(subgraph):
        sized = use.names("sizedFields")
        target = subgraph.types.get(named_type(use.field.type))
        if sized and not isinstance(target, ObjectType | InterfaceType | UnionType):
            messages = [f"`{use.coordinate}` is of type `{use.field.type}`, which has no fields to size"]
        else:
            fields = target.fields if isinstance(target, ObjectType | InterfaceType) else {}
            messages = [
                f"`{name}` in `sizedFields` of `{use.coordinate}` is no field of `{named_type(use.field.type)}`"
                for name in sized
                if name not in fields
            ]
        for message in messages:
            yield in_subgraph(
                subgraph,
                "LIST_SIZE_INVALID_SIZED_FIELD",
                message,
                coordinate=use.coordinate,
                at=(use.applied, use.field),
            )
