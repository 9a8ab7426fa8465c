"""INCONSISTENT_DEFAULT_VALUE_PRESENCE: only some versions of an argument or input field have a default."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.hints.noting import hint, presence
from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.sources import Sources
from gateway.federation.composition.model.element import InputValue
from gateway.federation.composition.model.result import CompositionHint, HintLevel
from gateway.federation.composition.rules.merged_arguments import merged_arguments


def find(merge: Merge) -> Iterator[CompositionHint]:
    """A default that not all know is left out."""
    for found in merge.once(merged_arguments):
        yield from _one(merge, found.coordinate, found.versions)
    for groups in merge.input_fields.values():
        for group in groups.values():
            yield from _one(merge, group.coordinate, group.sources)


def _one(merge: Merge, coordinate: str, versions: Sources[InputValue]) -> Iterator[CompositionHint]:
    having = versions.within(lambda element: element if element.default is not None else None)
    told = presence(merge, having)
    if having.indices() and told is not None:
        yield hint(
            merge,
            "INCONSISTENT_DEFAULT_VALUE_PRESENCE",
            HintLevel.WARN,
            f"`{coordinate}` has a default {told}; clients won't have it",
            versions,
            coordinate,
        )
