"""NO_QUERIES: no subgraph has a query."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.model.result import CompositionError


def check(merge: Merge) -> Iterator[CompositionError]:
    """A graph needs a query root type with a field."""
    if "query" not in merge.outline.roots:
        yield CompositionError(
            code="NO_QUERIES",
            message="no subgraph has a field on `Query`, and a graph needs one",
            coordinate="Query",
            subgraphs=tuple(subgraph.name for subgraph in merge.subgraphs),
            mend="Add a field to `Query` in one of the subgraphs.",
        )
