"""EXTERNAL_MISSING_ON_BASE: every subgraph that has a field says that another one resolves it."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.rules.finding import across, listed


def check(merge: Merge) -> Iterator[CompositionError]:
    """Somebody has to resolve a field."""
    for group in merge.field_groups():
        if merge.is_unresolved(group):
            names = listed(merge.outline.names(group.sources.indices()))
            yield across(
                merge,
                "EXTERNAL_MISSING_ON_BASE",
                f"`{group.coordinate}` is @external in every subgraph that has it ({names})",
                group.sources,
                coordinate=group.coordinate,
                mend=f"Define `{group.coordinate}` in the subgraph that resolves it, or drop @external.",
            )
