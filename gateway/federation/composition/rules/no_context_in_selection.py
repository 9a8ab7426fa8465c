"""NO_CONTEXT_IN_SELECTION: @fromContext does not name a context."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.model.element import ObjectType
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.rules.context_uses import context_uses
from gateway.federation.composition.rules.finding import in_subgraph


def check(subgraph: Subgraph) -> Iterator[CompositionError]:
    """The argument starts with `$` and the context's name."""
    for use in context_uses(subgraph):
        if isinstance(use.parent, ObjectType) and not (use.context and use.selection):
            yield in_subgraph(
                subgraph,
                "NO_CONTEXT_IN_SELECTION",
                f"@fromContext on `{use.coordinate}` does not name a context and a selection",
                coordinate=use.coordinate,
                at=(use.applied,),
                mend='Write `@fromContext(field: "$context { field }")`.',
            )
