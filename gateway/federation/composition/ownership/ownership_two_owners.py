"""OWNERSHIP_TWO_OWNERS: two systems claim, or resolve, the same field or mutation."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.ownership.graph import OwnedGraph
from gateway.federation.composition.rules.finding import listed

_CODE = "OWNERSHIP_TWO_OWNERS"


def check(graph: OwnedGraph) -> Iterator[CompositionError]:
    """One owner for each type, field and mutation, in the table and in what subgraphs do."""
    claims: dict[str, list[str]] = {}
    for coordinate, system in graph.ownership.claims():
        claims.setdefault(coordinate, []).append(f"{system.name} ({system.team})")
    for coordinate, systems in claims.items():
        if len(systems) > 1:
            yield graph.whole.error(
                _CODE,
                f"the ownership table gives `{coordinate}` to {listed(systems)}",
                coordinate,
                mend="Leave it to one of them.",
            )
    for field in (*graph.entity_fields, *graph.root_fields):
        if len(field.systems) > 1:
            owner = graph.ownership.owner_of_field(field.group.coordinate)
            keep = f"Keep it in {owner.name}" if owner else "Keep it in one system"
            yield graph.whole.error(
                _CODE,
                f"`{field.group.coordinate}` is resolved by {listed(field.systems)}, but a field has one owner",
                field.group.coordinate,
                mend=f"{keep}; show the others' copies under names of their own.",
            )
