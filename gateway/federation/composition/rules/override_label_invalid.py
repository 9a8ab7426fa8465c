"""OVERRIDE_LABEL_INVALID: the label of a progressive @override is malformed."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.overrides import is_valid_label
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.rules.override_uses import override_uses


def check(merge: Merge) -> Iterator[CompositionError]:
    """A label is a name, or `percent(x)`."""
    for found in override_uses(merge):
        label = found.use.label
        in_source = found.use.source_index in found.group.sources.indices()
        if label and found.is_usable and in_source and not is_valid_label(label):
            yield found.error(
                "OVERRIDE_LABEL_INVALID",
                f"the label `{label}` is neither a name nor a percentage",
                "Start with a letter, then letters, digits, `_`, `-`, `:`, `.` or `/`; or write `percent(x)` with x "
                "from 0 to 100 and at most 8 decimal places.",
            )
