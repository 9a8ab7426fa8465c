"""INVALID_GRAPHQL: subgraphs that are valid each, but not together."""

from __future__ import annotations

from collections.abc import Iterator

from graphql import GraphQLError, build_ast_schema, parse, validate_schema
from graphql.validation.validate import validate_sdl

from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.rules.whole import Whole


def check(whole: Whole) -> Iterator[CompositionError]:
    """Merging can make a type no longer fit its interface: an object's field nullable, an interface's not."""
    try:
        document = parse(whole.sdl)
        errors = validate_sdl(document) or validate_schema(build_ast_schema(document, assume_valid_sdl=True))
    except (GraphQLError, TypeError) as error:
        errors = [error if isinstance(error, GraphQLError) else GraphQLError(str(error))]
    for found in errors:
        yield CompositionError(code="INVALID_GRAPHQL", message=f"merged, the subgraphs are not valid: {found.message}")
