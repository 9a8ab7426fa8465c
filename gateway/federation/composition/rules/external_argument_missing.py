"""EXTERNAL_ARGUMENT_MISSING: an @external field lacks an argument of the field it refers to."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.rules.external_arguments import external_arguments
from gateway.federation.composition.rules.finding import across, listed


def check(merge: Merge) -> Iterator[CompositionError]:
    """External fields repeat the arguments."""
    for found in external_arguments(merge):
        lacking = [index for index, field in found.external.present() if found.name not in field.arguments]
        if lacking:
            yield across(
                merge,
                "EXTERNAL_ARGUMENT_MISSING",
                f"`{found.group.coordinate}` is @external in {listed(merge.outline.names(lacking))} "
                f"without its argument `{found.name}`",
                found.group.sources,
                coordinate=found.coordinate,
                mend=f"Add `{found.name}: {found.type}` where the field is @external.",
            )
