"""INCONSISTENT_BUT_COMPATIBLE_ARGUMENT_TYPE: versions of an argument have different types that fit together."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.hints.noting import hint
from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.references import merge_references
from gateway.federation.composition.model.result import CompositionHint, HintLevel
from gateway.federation.composition.rules.finding import grouped
from gateway.federation.composition.rules.merged_arguments import merged_arguments


def find(merge: Merge) -> Iterator[CompositionHint]:
    """Arguments take the narrowest type."""
    for found in merge.once(merged_arguments):
        types = (argument.type for _, argument in found.versions.present())
        reference = merge_references(merge.outline, types, is_input=True)
        if not reference.all_equal:
            texts = {index: f"`{argument.type}`" for index, argument in found.versions.present()}
            told = grouped(merge, found.versions, texts)
            yield hint(
                merge,
                "INCONSISTENT_BUT_COMPATIBLE_ARGUMENT_TYPE",
                HintLevel.INFO,
                f"`{found.coordinate}` is of type {told}; it will be `{reference.type}`",
                found.versions,
                found.coordinate,
            )
