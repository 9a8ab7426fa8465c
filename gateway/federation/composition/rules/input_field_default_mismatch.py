"""INPUT_FIELD_DEFAULT_MISMATCH: subgraphs give an input field different defaults."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.defaults import has_conflicting_defaults
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.value import same_text
from gateway.federation.composition.rules.finding import across, grouped


def check(merge: Merge) -> Iterator[CompositionError]:
    """A default is the same wherever there is one."""
    for groups in merge.input_fields.values():
        for group in groups.values():
            if has_conflicting_defaults(group.sources):
                texts = {index: same_text(field.default) or "no default" for index, field in group.sources.present()}
                yield across(
                    merge,
                    "INPUT_FIELD_DEFAULT_MISMATCH",
                    f"the defaults of `{group.coordinate}` differ: {grouped(merge, group.sources, texts)}",
                    group.sources,
                    coordinate=group.coordinate,
                    mend="Use the same default everywhere.",
                )
