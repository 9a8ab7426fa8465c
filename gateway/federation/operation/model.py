"""A client's operation, parsed and known to be valid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from graphql import GraphQLSchema
from graphql.language import ast

from gateway.federation.supergraph import Directives, Selection


class OperationKind(StrEnum):
    """The three kinds of GraphQL operation, spelled as in a document."""

    QUERY = "query"
    MUTATION = "mutation"
    SUBSCRIPTION = "subscription"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Operation:
    """One operation of a valid document. Immutable; compared by identity."""

    kind: OperationKind
    name: str | None
    text: str
    """The whole document as the client sent it."""
    schema: GraphQLSchema
    """The API schema that it was validated against."""
    document: ast.DocumentNode
    definition: ast.OperationDefinitionNode
    fragments: Mapping[str, ast.FragmentDefinitionNode]
    variable_types: Mapping[str, str]
    """Declared variables, in order, with type, default and directives as printed: `{"id": "ID!", "first": "Int=5@live"}`."""
    selections: tuple[Selection, ...]
    """Root selections, fragments expanded (each once, and shared)."""
    directives: Mapping[OperationKind, Directives]
    """Directives on the operation itself, for requests of each kind on which they may stand too."""
