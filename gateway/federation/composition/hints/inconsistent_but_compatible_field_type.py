"""INCONSISTENT_BUT_COMPATIBLE_FIELD_TYPE: versions of a field have different types that fit together."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.hints.noting import hint
from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.fields import merged_reference
from gateway.federation.composition.merge.references import merge_references
from gateway.federation.composition.model.result import CompositionHint, HintLevel
from gateway.federation.composition.rules.finding import grouped

_CODE = "INCONSISTENT_BUT_COMPATIBLE_FIELD_TYPE"


def find(merge: Merge) -> Iterator[CompositionHint]:
    """Outputs take the widest type, inputs the narrowest."""
    for group in merge.field_groups():
        reference = merged_reference(merge, group)
        if not reference.all_equal:
            resolving = group.resolving
            sources = resolving if resolving.indices() else group.sources
            texts = {index: f"`{field.type}`" for index, field in sources.present()}
            message = f"`{group.coordinate}` is of type {grouped(merge, sources, texts)}; it will be `{reference.type}`"
            yield hint(merge, _CODE, HintLevel.INFO, message, sources, group.coordinate)
    for groups in merge.input_fields.values():
        for input_group in groups.values():
            types = (field.type for _, field in input_group.sources.present())
            reference = merge_references(merge.outline, types, is_input=True)
            if not reference.all_equal:
                texts = {index: f"`{field.type}`" for index, field in input_group.sources.present()}
                told = grouped(merge, input_group.sources, texts)
                message = f"`{input_group.coordinate}` is of type {told}; it will be `{reference.type}`"
                yield hint(merge, _CODE, HintLevel.INFO, message, input_group.sources, input_group.coordinate)
