"""REQUIRED_INPUT_FIELD_MISSING_IN_SOME_SUBGRAPH: one subgraph demands an input field that another doesn't know."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.inputs import is_kept
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.rules.finding import across, listed


def check(merge: Merge) -> Iterator[CompositionError]:
    """Only input fields that all know reach clients, so none of the others may be required."""
    for groups in merge.input_fields.values():
        for group in groups.values():
            required = [index for index, field in group.sources.present() if field.is_required]
            if required and not is_kept(merge, group):
                yield across(
                    merge,
                    "REQUIRED_INPUT_FIELD_MISSING_IN_SOME_SUBGRAPH",
                    f"`{group.coordinate}` is required in {listed(merge.outline.names(required))}, "
                    f"but {listed(merge.outline.names(group.sources.missing()))} does not have it",
                    group.sources,
                    coordinate=group.coordinate,
                    mend="Make it optional, or add it where it is missing.",
                )
