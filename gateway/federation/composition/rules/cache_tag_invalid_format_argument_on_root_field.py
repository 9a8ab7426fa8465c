"""CACHE_TAG_INVALID_FORMAT_ARGUMENT_ON_ROOT_FIELD: the @cacheTag of a root field takes a value from elsewhere than its arguments."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.rules.cache_tag_uses import cache_tag_uses, is_placed_well
from gateway.federation.composition.rules.finding import in_subgraph


def check(subgraph: Subgraph) -> Iterator[CompositionError]:
    """Before a root field is asked, its arguments are all that is known."""
    for use in cache_tag_uses(subgraph):
        if use.field is None or not is_placed_well(subgraph, use):
            continue
        for value in use.readable_values():
            if value.source != use.source:
                yield in_subgraph(
                    subgraph,
                    "CACHE_TAG_INVALID_FORMAT_ARGUMENT_ON_ROOT_FIELD",
                    f"the @cacheTag `{use.format}` of `{use.coordinate}` takes `{value}`, "
                    f"and a root field's can take arguments only",
                    coordinate=use.coordinate,
                    at=(use.applied, use.field),
                    mend="Write `{$args.…}`.",
                )
