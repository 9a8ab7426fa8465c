"""Merges unions: the members of all versions."""

from __future__ import annotations

from gateway.federation.composition.merge.applications import merge_applications
from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.descriptions import merge_descriptions
from gateway.federation.composition.merge.join import join_types
from gateway.federation.composition.merge.sources import Sources
from gateway.federation.composition.model.element import UnionType, directive
from gateway.federation.composition.model.value import EnumName


def merge_union(merge: Merge, name: str) -> UnionType:
    """The supergraph's union."""
    outline = merge.outline
    elements = outline.elements(name)
    sources = Sources(elements)
    members = outline.members.get(name, ())
    joins = tuple(
        directive("join__unionMember", graph=EnumName(outline.graph_names[index]), member=member)
        for member in members
        for index, element in elements.items()
        if isinstance(element, UnionType) and member in element.members
    )
    return UnionType(
        name=name,
        description=merge_descriptions(sources),
        directives=(*join_types(outline, elements), *joins, *merge_applications(merge, sources)),
        members=members,
    )
