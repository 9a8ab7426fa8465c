"""CACHE_TAG_INVALID_FORMAT: the format of @cacheTag has something in braces that is no single scalar value."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.rules.cache_tag_uses import (
    CacheTagUse,
    cache_tag_uses,
    is_placed_well,
    path_fault,
)
from gateway.federation.composition.rules.finding import in_subgraph


def check(subgraph: Subgraph) -> Iterator[CompositionError]:
    """A tag is text, and so is each value in it."""
    for use in cache_tag_uses(subgraph):
        for fault in _faults(subgraph, use) if is_placed_well(subgraph, use) else ():
            yield in_subgraph(
                subgraph,
                "CACHE_TAG_INVALID_FORMAT",
                f"the @cacheTag `{use.format}` of `{use.coordinate}` can't be made: {fault}",
                coordinate=use.coordinate,
                at=(use.applied, use.field or use.parent),
            )


def _faults(subgraph: Subgraph, use: CacheTagUse) -> Iterator[str]:
    try:
        values = use.values()
    except ValueError as error:
        yield str(error)
        return
    for value in values:
        fault = path_fault(subgraph, use, value) if value.source == use.source else None
        if fault is not None:
            yield fault
