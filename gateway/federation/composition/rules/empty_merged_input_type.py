"""EMPTY_MERGED_INPUT_TYPE: the versions of an input type have no field in common."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.inputs import is_kept
from gateway.federation.composition.merge.sources import Sources
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.rules.finding import across


def check(merge: Merge) -> Iterator[CompositionError]:
    """Only common fields reach the supergraph, and there has to be one."""
    for name, groups in merge.input_fields.items():
        if not any(is_kept(merge, group) for group in groups.values()):
            yield across(
                merge,
                "EMPTY_MERGED_INPUT_TYPE",
                f"the subgraphs' versions of the input type `{name}` have no field in common",
                Sources(merge.outline.elements(name)),
                coordinate=name,
                mend="Give them a common field, or rename one of them.",
            )
