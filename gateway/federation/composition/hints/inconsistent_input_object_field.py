"""INCONSISTENT_INPUT_OBJECT_FIELD: an input field is left out because not all subgraphs know it."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.hints.noting import hint, presence
from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.inputs import is_kept
from gateway.federation.composition.model.result import CompositionHint, HintLevel


def find(merge: Merge) -> Iterator[CompositionHint]:
    """Clients can only send what all understand."""
    for groups in merge.input_fields.values():
        for group in groups.values():
            if not is_kept(merge, group):
                message = f"clients won't see `{group.coordinate}`: it is defined {presence(merge, group.sources)}"
                yield hint(
                    merge, "INCONSISTENT_INPUT_OBJECT_FIELD", HintLevel.WARN, message, group.sources, group.coordinate
                )
