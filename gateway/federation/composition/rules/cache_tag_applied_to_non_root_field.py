"""CACHE_TAG_APPLIED_TO_NON_ROOT_FIELD: @cacheTag stands on a field that no operation starts at."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.rules.cache_tag_uses import cache_tag_uses
from gateway.federation.composition.rules.finding import in_subgraph


def check(subgraph: Subgraph) -> Iterator[CompositionError]:
    """What is kept under a tag is the answer to a root field, or an entity."""
    for use in cache_tag_uses(subgraph):
        if use.field is not None and not use.is_on_root:
            yield in_subgraph(
                subgraph,
                "CACHE_TAG_APPLIED_TO_NON_ROOT_FIELD",
                f"`{use.coordinate}` has a @cacheTag, and is no root field",
                coordinate=use.coordinate,
                at=(use.applied, use.field),
                mend=f"Put it on `{use.parent.name}`, if that is an entity, or on the root field that leads there.",
            )
