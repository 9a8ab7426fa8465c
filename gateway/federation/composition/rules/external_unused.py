"""EXTERNAL_UNUSED: an @external field is mentioned nowhere."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.rules.finding import in_subgraph


def check(subgraph: Subgraph) -> Iterator[CompositionError]:
    """External fields exist to be named by @key, @requires, @provides or @fromContext, or to satisfy an interface."""
    for parent, field in subgraph.fields():
        coordinate = (parent.name, field.name)
        if coordinate in subgraph.facts.external and coordinate not in subgraph.facts.used:
            yield in_subgraph(
                subgraph,
                "EXTERNAL_UNUSED",
                f"`{parent.name}.{field.name}` is @external, but no @key, @requires or @provides uses it "
                f"and no interface needs it",
                coordinate=f"{parent.name}.{field.name}",
                at=(field,),
                mend="Remove the field, or drop @external if this subgraph resolves it.",
            )
