"""Merges object types."""

from __future__ import annotations

from gateway.federation.composition.merge.applications import merge_applications
from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.descriptions import merge_descriptions
from gateway.federation.composition.merge.fields import merge_field
from gateway.federation.composition.merge.join import join_implements, join_types
from gateway.federation.composition.merge.sources import Sources
from gateway.federation.composition.model.element import ObjectType


def merge_object(merge: Merge, name: str) -> ObjectType | None:
    """The supergraph's object type; None when no subgraph gives it a field."""
    groups = merge.fields[name]
    if not groups:
        return None
    elements = merge.outline.elements(name)
    sources = Sources(elements)
    return ObjectType(
        name=name,
        description=merge_descriptions(sources),
        directives=(
            *join_implements(merge.outline, elements),
            *join_types(merge.outline, elements),
            *merge_applications(merge, sources),
        ),
        interfaces=merge.outline.interfaces.get(name, ()),
        fields={field: merge_field(merge, group) for field, group in groups.items()},
    )
