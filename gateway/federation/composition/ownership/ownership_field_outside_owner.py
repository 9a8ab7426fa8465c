"""OWNERSHIP_FIELD_OUTSIDE_OWNER: a system resolves an entity's field that it does not own."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.ownership.graph import OwnedGraph


def check(graph: OwnedGraph) -> Iterator[CompositionError]:
    """A field belongs to the home of its entity, unless another system claims it."""
    for field in graph.entity_fields:
        owner = graph.ownership.owner_of_field(field.group.coordinate)
        for subgraph, system in field.resolvers:
            if owner is not None and system is not None and system.name == owner.name:
                continue
            belongs = f"belongs to {owner.name} ({owner.team})" if owner else "is claimed by no system"
            yield graph.whole.error(
                "OWNERSHIP_FIELD_OUTSIDE_OWNER",
                f"`{field.group.coordinate}` {belongs}, but the subgraph {subgraph} resolves it",
                field.group.coordinate,
                mend=f"Claim it with `fields.{field.group.parent}` of the system behind {subgraph}, or move it.",
            )
