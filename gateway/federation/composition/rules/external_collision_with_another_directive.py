"""EXTERNAL_COLLISION_WITH_ANOTHER_DIRECTIVE: a field is both @external and @provides."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.rules.finding import in_subgraph


def check(subgraph: Subgraph) -> Iterator[CompositionError]:
    """A subgraph that does not resolve a field can't provide anything with it."""
    for parent, field in subgraph.fields():
        if subgraph.has(field, "provides") and (parent.name, field.name) in subgraph.facts.external:
            yield in_subgraph(
                subgraph,
                "EXTERNAL_COLLISION_WITH_ANOTHER_DIRECTIVE",
                f"`{parent.name}.{field.name}` is @external and @provides at once",
                coordinate=f"{parent.name}.{field.name}",
                at=(field,),
                mend="Remove one of the two.",
            )
