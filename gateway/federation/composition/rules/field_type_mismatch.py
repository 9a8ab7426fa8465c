"""FIELD_TYPE_MISMATCH: subgraphs give a field or input field types that don't fit together."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.fields import merged_reference
from gateway.federation.composition.merge.references import merge_references
from gateway.federation.composition.merge.sources import Sources
from gateway.federation.composition.model.element import Field, InputValue
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.rules.finding import across, grouped


def check(merge: Merge) -> Iterator[CompositionError]:
    """Types are equal, or one is a subtype of the other."""
    for group in merge.field_groups():
        if not merge.is_unresolved(group) and not merged_reference(merge, group).is_compatible:
            resolving = group.resolving
            yield _error(merge, group.coordinate, resolving if resolving.indices() else group.sources)
    for groups in merge.input_fields.values():
        for input_group in groups.values():
            types = (field.type for _, field in input_group.sources.present())
            if not merge_references(merge.outline, types, is_input=True).is_compatible:
                yield _error(merge, input_group.coordinate, input_group.sources)


def _error(merge: Merge, coordinate: str, sources: Sources[Field] | Sources[InputValue]) -> CompositionError:
    texts = {index: f"`{field.type}`" for index, field in sources.present()}
    return across(
        merge,
        "FIELD_TYPE_MISMATCH",
        f"the types of `{coordinate}` don't fit together: {grouped(merge, sources, texts)}",
        sources,
        coordinate=coordinate,
        mend="Give it the same type everywhere.",
    )
