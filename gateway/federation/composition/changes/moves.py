"""Fields that another subgraph resolves than before: clients don't notice, operators do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gateway.federation.composition.changes.model import Change, ChangeLevel
from gateway.federation.supergraph import Supergraph


def move_changes(old: Supergraph, new: Supergraph) -> Iterator[Change]:
    """Fields of both supergraphs that are resolved elsewhere now, and subgraphs that came or went."""
    for name in sorted(new.subgraphs.keys() - old.subgraphs.keys()):
        yield Change(ChangeLevel.SAFE, "SUBGRAPH_ADDED", f"The subgraph {name} was added.")
    for name in sorted(old.subgraphs.keys() - new.subgraphs.keys()):
        yield Change(ChangeLevel.SAFE, "SUBGRAPH_REMOVED", f"The subgraph {name} was removed.")
    before, after = _resolvers(old), _resolvers(new)
    for coordinate in sorted(before.keys() & after.keys()):
        was, now = before[coordinate], after[coordinate]
        if was != now:
            moved = f"{coordinate} is resolved by {', '.join(now)} instead of {', '.join(was)}."
            yield Change(ChangeLevel.SAFE, "FIELD_MOVED", moved, coordinate)


def _resolvers(supergraph: Supergraph) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for subgraph in supergraph.subgraphs.values():
        for element in subgraph.types.values():
            for field in element.fields.values():
                if not field.is_external and not field.is_overridden:
                    found.setdefault(f"{element.name}.{field.name}", []).append(subgraph.name)
    return {coordinate: tuple(sorted(names)) for coordinate, names in found.items()}
