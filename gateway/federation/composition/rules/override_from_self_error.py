"""OVERRIDE_FROM_SELF_ERROR: a subgraph takes a field over from itself."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.rules.override_uses import override_uses


def check(merge: Merge) -> Iterator[CompositionError]:
    """`from` names another subgraph."""
    for found in override_uses(merge):
        if found.use.source_index == found.use.index and not (found.is_on_interface or found.is_on_interface_object):
            yield found.error(
                "OVERRIDE_FROM_SELF_ERROR",
                f"`{found.use.source}` is this very subgraph",
                "Name the subgraph that has had the field until now.",
            )
