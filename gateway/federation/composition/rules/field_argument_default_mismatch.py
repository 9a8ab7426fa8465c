"""FIELD_ARGUMENT_DEFAULT_MISMATCH: subgraphs give an argument different defaults."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.defaults import has_conflicting_defaults
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.value import same_text
from gateway.federation.composition.rules.finding import across, grouped
from gateway.federation.composition.rules.merged_arguments import merged_arguments


def check(merge: Merge) -> Iterator[CompositionError]:
    """A default is the same wherever there is one."""
    for found in merge.once(merged_arguments):
        if has_conflicting_defaults(found.versions):
            texts = {i: same_text(argument.default) or "no default" for i, argument in found.versions.present()}
            yield across(
                merge,
                "FIELD_ARGUMENT_DEFAULT_MISMATCH",
                f"the defaults of `{found.coordinate}` differ: {grouped(merge, found.versions, texts)}",
                found.versions,
                coordinate=found.coordinate,
                mend="Use the same default everywhere.",
            )
