"""PROVIDES_ON_NON_OBJECT_FIELD: @provides stands on a field whose type has no fields."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.model.element import InterfaceType, ObjectType, UnionType
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.model.type_reference import named_type
from gateway.federation.composition.rules.finding import in_subgraph


def check(subgraph: Subgraph) -> Iterator[CompositionError]:
    """@provides says which fields of the returned object come along, so there have to be some."""
    for parent, field in subgraph.fields():
        applied = subgraph.use(field, "provides")
        target = subgraph.types.get(named_type(field.type))
        if applied is not None and not isinstance(target, ObjectType | InterfaceType | UnionType):
            yield in_subgraph(
                subgraph,
                "PROVIDES_ON_NON_OBJECT_FIELD",
                f"@provides on `{parent.name}.{field.name}` provides nothing: the field is of type `{field.type}`",
                coordinate=f"{parent.name}.{field.name}",
                at=(applied, field),
                mend="Remove @provides.",
            )
