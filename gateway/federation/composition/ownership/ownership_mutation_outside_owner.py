"""OWNERSHIP_MUTATION_OUTSIDE_OWNER: a mutation stands in a system that does not own it, or nobody owns it."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.ownership.graph import OwnedGraph


def check(graph: OwnedGraph) -> Iterator[CompositionError]:
    """Each mutation is declared by the one system that it reaches."""
    for field in graph.mutations:
        owner = graph.ownership.owner_of_mutation(field.group.name)
        for subgraph, system in field.resolvers:
            if owner is not None and system is not None and system.name == owner.name:
                continue
            where = f"the system {system.name}" if system else "a system that the ownership table does not name"
            belongs = f"belongs to {owner.name} ({owner.team})" if owner else "is claimed by no system"
            yield graph.whole.error(
                "OWNERSHIP_MUTATION_OUTSIDE_OWNER",
                f"the mutation `{field.group.name}` {belongs}, but the subgraph {subgraph} of {where} has it",
                field.group.coordinate,
                mend=f"Move it to {owner.name}." if owner else "List it under `mutations` of its system.",
            )
