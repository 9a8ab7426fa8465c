"""OWNERSHIP_NON_NULL_ACROSS_SYSTEMS: a field that another system adds to an entity can't be null."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.model.element import ObjectType
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.type_reference import NonNull
from gateway.federation.composition.ownership.graph import OwnedGraph


def check(graph: OwnedGraph) -> Iterator[CompositionError]:
    """When one system is down, its fields are null and nobody else's are."""
    for field in graph.entity_fields:
        home = graph.ownership.home_of(field.group.parent)
        element = graph.whole.draft.types.get(field.group.parent)
        merged = element.fields.get(field.group.name) if isinstance(element, ObjectType) else None
        if home is None or merged is None or not isinstance(merged.type, NonNull) or home.name in field.systems:
            continue
        coordinate = field.group.coordinate
        yield graph.whole.error(
            "OWNERSHIP_NON_NULL_ACROSS_SYSTEMS",
            f"`{coordinate}: {merged.type}` comes from {', '.join(field.systems)}, but {home.name} answers for "
            f"`{field.group.parent}`: while {', '.join(field.systems)} is down, the whole object would be lost",
            coordinate,
            mend=f"Write `{coordinate}: {merged.type.of}`.",
        )
