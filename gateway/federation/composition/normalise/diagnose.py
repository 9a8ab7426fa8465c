"""Errors of one subgraph, located in its SDL."""

from __future__ import annotations

from collections.abc import Iterable

from graphql import GraphQLError, Node

from gateway.federation.composition.model.result import CompositionError, SourceLocation


def locate(subgraph: str, *nodes: Node | None) -> tuple[SourceLocation, ...]:
    """Where nodes stand in a subgraph's SDL; nodes that composition added have no place."""
    found: dict[SourceLocation, None] = {}
    for node in nodes:
        if node is None or node.loc is None:
            continue
        token = node.loc.start_token
        found[SourceLocation(subgraph, token.line, token.column)] = None
    return tuple(found)


def from_graphql_error(subgraph: str, error: GraphQLError, code: str = "INVALID_GRAPHQL") -> CompositionError:
    """A graphql-core error as an error of this subgraph."""
    locations: Iterable[SourceLocation] = ()
    if error.nodes:
        locations = locate(subgraph, *error.nodes)
    elif error.locations:
        locations = (SourceLocation(subgraph, at.line, at.column) for at in error.locations)
    return CompositionError(
        code=code, message=f"[{subgraph}] {error.message}", subgraphs=(subgraph,), locations=tuple(locations)
    )
