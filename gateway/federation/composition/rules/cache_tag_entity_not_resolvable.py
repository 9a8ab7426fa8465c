"""CACHE_TAG_ENTITY_NOT_RESOLVABLE: @cacheTag stands on a type that can't be entered by key."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.rules.cache_tag_uses import cache_tag_uses, is_resolvable
from gateway.federation.composition.rules.finding import in_subgraph


def check(subgraph: Subgraph) -> Iterator[CompositionError]:
    """Objects that are no entities are kept as part of what leads to them."""
    for use in cache_tag_uses(subgraph):
        if use.field is None and not is_resolvable(subgraph, use.parent):
            yield in_subgraph(
                subgraph,
                "CACHE_TAG_ENTITY_NOT_RESOLVABLE",
                f"`{use.coordinate}` has a @cacheTag, and no @key by which it can be entered",
                coordinate=use.coordinate,
                at=(use.applied, use.parent),
                mend=f"Add a @key to `{use.parent.name}`, or remove @cacheTag.",
            )
