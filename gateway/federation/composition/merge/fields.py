"""Merges fields of object and interface types."""

from __future__ import annotations

from gateway.federation.composition.merge.access import inherited_by_field
from gateway.federation.composition.merge.applications import merge_applications
from gateway.federation.composition.merge.arguments import merge_arguments
from gateway.federation.composition.merge.context import FieldGroup, Merge
from gateway.federation.composition.merge.descriptions import merge_descriptions
from gateway.federation.composition.merge.join import join_fields
from gateway.federation.composition.merge.references import MergedReference, merge_references
from gateway.federation.composition.model.element import Field


def merge_field(merge: Merge, group: FieldGroup) -> Field:
    """The supergraph's field; external versions only count for where it comes from."""
    resolving = group.resolving
    reference = merged_reference(merge, group)
    applied = merge_applications(merge, resolving, inherited_by_field(merge, group.parent, group.name))
    joins = tuple(join_fields(merge, group, all_equal=reference.all_equal))
    return Field(
        name=group.name,
        description=merge_descriptions(resolving),
        directives=(*joins, *applied),
        type=reference.type,
        arguments=merge_arguments(merge, resolving),
    )


def merged_reference(merge: Merge, group: FieldGroup) -> MergedReference:
    """The field's merged type: from the versions that resolve it, or from all when only interface objects do."""
    resolving = group.resolving
    versions = resolving if resolving.indices() else group.sources
    return merge_references(merge.outline, (field.type for _, field in versions.present()), is_input=False)
