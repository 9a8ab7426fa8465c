"""EXTERNAL_TYPE_MISMATCH: an @external field has another type than the field it refers to."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.fields import merged_reference
from gateway.federation.composition.merge.references import is_strict_subtype
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.rules.finding import across, grouped


def check(merge: Merge) -> Iterator[CompositionError]:
    """External fields repeat the field's type, or a subtype where subgraphs differ anyway."""
    for group in merge.field_groups():
        external = group.referring
        if not external.indices() or merge.is_unresolved(group):
            continue
        reference = merged_reference(merge, group)
        wrong = any(
            field.type != reference.type
            and (reference.all_equal or not is_strict_subtype(merge.outline, reference.type, field.type))
            for _, field in external.present()
        )
        if wrong:
            texts = {index: f"`{field.type}`" for index, field in group.sources.present()}
            yield across(
                merge,
                "EXTERNAL_TYPE_MISMATCH",
                f"the type of `{group.coordinate}` differs where it is @external: {grouped(merge, group.sources, texts)}",
                group.sources,
                coordinate=group.coordinate,
                mend=f"Write `{reference.type}` where the field is @external.",
            )
