"""OWNERSHIP_UNKNOWN: the ownership table names what does not exist."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.ownership.graph import OwnedGraph
from gateway.federation.composition.rules.whole import find_element


def check(graph: OwnedGraph) -> Iterator[CompositionError]:
    """Subgraphs and coordinates in the table exist, and every subgraph belongs to one system."""
    subgraphs = graph.whole.merge.subgraphs
    names = {subgraph.name for subgraph in subgraphs}
    for system in graph.ownership.systems:
        for name in system.subgraphs:
            if name not in names:
                yield graph.whole.error(
                    "OWNERSHIP_UNKNOWN",
                    f"the ownership table gives {system.name} a subgraph `{name}`, which does not exist",
                )
    for coordinate, system in graph.ownership.claims():
        if not any(find_element(subgraph, coordinate) is not None for subgraph in subgraphs):
            yield graph.whole.error(
                "OWNERSHIP_UNKNOWN",
                f"the ownership table gives {system.name} `{coordinate}`, which no subgraph has",
                coordinate,
                mend="Remove the entry, or correct its name.",
            )
    for system in graph.ownership.systems:
        for name in system.cache:
            resolvers = (each for each in subgraphs if each.name in system.subgraphs)
            if (
                not any(find_element(subgraph, name) is not None for subgraph in resolvers)
                or name not in graph.entities
            ):
                yield graph.whole.error(
                    "OWNERSHIP_UNKNOWN",
                    f"the ownership table says how to cache `{name}` of {system.name}, which has no entity of that name",
                    name,
                    mend="Remove the entry, or correct its name.",
                )
    for subgraph in subgraphs:
        owners = [system.name for system in graph.ownership.systems if subgraph.name in system.subgraphs]
        if len(owners) != 1:
            claimed = f"belongs to {' and '.join(owners)}" if owners else "belongs to no system"
            yield CompositionError(
                code="OWNERSHIP_UNKNOWN",
                message=f"the subgraph {subgraph.name} {claimed} in the ownership table",
                subgraphs=(subgraph.name,),
                mend="List it under `subgraphs` of exactly one system.",
            )
