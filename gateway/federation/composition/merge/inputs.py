"""Merges input types: the fields that all versions have."""

from __future__ import annotations

from gateway.federation.composition.merge.applications import merge_applications
from gateway.federation.composition.merge.context import InputFieldGroup, Merge
from gateway.federation.composition.merge.defaults import merge_defaults
from gateway.federation.composition.merge.descriptions import merge_descriptions
from gateway.federation.composition.merge.join import join_input_fields, join_types
from gateway.federation.composition.merge.references import merge_references
from gateway.federation.composition.merge.sources import Sources
from gateway.federation.composition.model.element import Element, InputType, InputValue


def merge_input(merge: Merge, name: str) -> InputType:
    """The supergraph's input type."""
    elements = merge.outline.elements(name)
    sources = Sources(elements)
    fields = {
        field: merge_input_field(merge, group)
        for field, group in merge.input_fields[name].items()
        if is_kept(merge, group)
    }
    return InputType(
        name=name,
        description=merge_descriptions(sources),
        directives=(*join_types(merge.outline, elements), *merge_applications(merge, sources)),
        fields=fields,
    )


def is_kept(merge: Merge, group: InputFieldGroup) -> bool:
    """Is it in all versions, or out of clients' sight anyway?"""
    return not group.sources.missing() or is_inaccessible(merge, group.sources)


def is_inaccessible(merge: Merge, sources: Sources[Element]) -> bool:
    """Does some version hide the element from clients?"""
    return any(merge.subgraphs[index].has(element, "inaccessible") for index, element in sources.present())


def merge_input_field(merge: Merge, group: InputFieldGroup) -> InputValue:
    """One input field of the supergraph."""
    types = (field.type for _, field in group.sources.present())
    reference = merge_references(merge.outline, types, is_input=True)
    joins = join_input_fields(merge, group, all_equal=reference.all_equal)
    return InputValue(
        name=group.name,
        description=merge_descriptions(group.sources),
        directives=(*joins, *merge_applications(merge, group.sources)),
        type=reference.type,
        default=merge_defaults(group.sources),
    )
