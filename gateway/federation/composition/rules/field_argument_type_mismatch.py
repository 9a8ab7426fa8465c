"""FIELD_ARGUMENT_TYPE_MISMATCH: subgraphs give an argument types that don't fit together."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.references import merge_references
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.rules.finding import across, grouped
from gateway.federation.composition.rules.merged_arguments import merged_arguments


def check(merge: Merge) -> Iterator[CompositionError]:
    """Types are equal, or one is a subtype of the other."""
    for found in merge.once(merged_arguments):
        types = (argument.type for _, argument in found.versions.present())
        if not merge_references(merge.outline, types, is_input=True).is_compatible:
            texts = {index: f"`{argument.type}`" for index, argument in found.versions.present()}
            yield across(
                merge,
                "FIELD_ARGUMENT_TYPE_MISMATCH",
                f"the types of `{found.coordinate}` don't fit together: {grouped(merge, found.versions, texts)}",
                found.versions,
                coordinate=found.coordinate,
                mend="Give the argument the same type everywhere.",
            )
