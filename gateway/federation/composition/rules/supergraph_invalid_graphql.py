"""INVALID_GRAPHQL: subgraphs that are valid each, but not together."""

from __future__ import annotations

from collections.abc import Iterator

from graphql import GraphQLError, build_ast_schema, validate_schema
from graphql.validation.validate import validate_sdl

from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.normalise.validate import is_tolerated
from gateway.federation.composition.rules.whole import Whole


def check(whole: Whole) -> Iterator[CompositionError]:
    """Merging can make a type no longer fit its interface: an object's field nullable, an interface's not."""
    try:
        # Names are unique and types known by construction. What can go wrong in the document is that a composed
        # directive stands where its latest definition doesn't allow it.
        errors = validate_sdl(whole.document) if whole.merge.composed.items else []
        errors = errors or validate_schema(build_ast_schema(whole.document, assume_valid_sdl=True))
    except (GraphQLError, TypeError) as error:
        errors = [error if isinstance(error, GraphQLError) else GraphQLError(str(error))]
    for found in errors:
        if is_tolerated(found.message):
            continue
        yield CompositionError(code="INVALID_GRAPHQL", message=f"merged, the subgraphs are not valid: {found.message}")
