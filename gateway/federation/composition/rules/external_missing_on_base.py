"""EXTERNAL_MISSING_ON_BASE: every subgraph that has a field says that another one resolves it."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.merge.context import FieldGroup, Merge
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.rules.finding import across, listed


def is_external_everywhere(merge: Merge, group: FieldGroup) -> bool:
    """Does nobody resolve the field, not even through an interface object?"""
    for index, field in group.sources.by_index.items():
        if field is not None:
            if not merge.is_external(index, group.parent, group.name):
                return False
        elif any(
            not merge.is_external(index, interface, group.name)
            for interface, _ in merge.interface_object_fields(group.parent, group.name, index)
        ):
            return False
    return True


def check(merge: Merge) -> Iterator[CompositionError]:
    """Somebody has to resolve a field."""
    for group in merge.field_groups():
        if is_external_everywhere(merge, group):
            names = listed(merge.outline.names(group.sources.indices()))
            yield across(
                merge,
                "EXTERNAL_MISSING_ON_BASE",
                f"`{group.coordinate}` is @external in every subgraph that has it ({names})",
                group.sources,
                coordinate=group.coordinate,
                mend=f"Define `{group.coordinate}` in the subgraph that resolves it, or drop @external.",
            )
