"""LIST_SIZE_INVALID_ASSUMED_SIZE: `assumedSize` of @listSize is negative."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.rules.finding import in_subgraph
from gateway.federation.composition.rules.list_size_uses import list_size_uses


def check(subgraph: Subgraph) -> Iterator[CompositionError]:
    """No list has less than nothing in it."""
    for use in list_size_uses(subgraph):
        size = use.applied.value("assumedSize")
        if isinstance(size, int) and size < 0:
            yield in_subgraph(
                subgraph,
                "LIST_SIZE_INVALID_ASSUMED_SIZE",
                f"`assumedSize` of `{use.coordinate}` is negative",
                coordinate=use.coordinate,
                at=(use.applied, use.field),
            )
