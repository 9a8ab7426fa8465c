"""INCONSISTENT_ARGUMENT_PRESENCE: an optional argument is left out because not all subgraphs know it."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.hints.noting import hint, presence
from gateway.federation.composition.merge.arguments import argument_sources, is_contextual_anywhere
from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.model.result import CompositionHint, HintLevel


def find(merge: Merge) -> Iterator[CompositionHint]:
    """Clients can only send what all understand."""
    for group in merge.field_groups():
        for name, versions in argument_sources(group.resolving).items():
            told = presence(merge, versions)
            if told is not None and not is_contextual_anywhere(merge, versions):
                coordinate = f"{group.coordinate}({name}:)"
                message = f"clients won't see `{coordinate}`: it is defined {told}"
                yield hint(merge, "INCONSISTENT_ARGUMENT_PRESENCE", HintLevel.WARN, message, versions, coordinate)
