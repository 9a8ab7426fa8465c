"""A subgraph's schema: federation 2.11, the shared scalars, parsed and validated once per document, no logging of expected errors.

Reference resolvers are class methods of an entity: `async def resolve_reference(cls, info, *, crm_ref: str) -> Customer | None`.
They get the representation's fields as keyword arguments in snake_case; fields they don't name are left away.
None means that there is no such entity.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, cast

import strawberry
from graphql import GraphQLError
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.federation.schema import FederationAny
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext
from strawberry.utils.str_converters import to_snake_case

from subgraphs.kit.money import SCALARS
from subgraphs.kit.system_error import BadUserInputError, FieldError

_log = logging.getLogger(__name__)
_CACHED_DOCUMENTS = 2000


class SubgraphSchema(strawberry.federation.Schema):
    """A federated schema whose entity resolver answers every representation by itself."""

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:  # noqa: ARG002 - strawberry's signature
        """Log bugs with their trace; expected failures are answers, not log lines."""
        for error in errors:
            if error.original_error is not None and not isinstance(error.original_error, FieldError | GraphQLError):
                _log.error("A resolver failed at %s.", error.path, exc_info=error.original_error)

    def entities_resolver(self, info: strawberry.Info, representations: list[FederationAny]) -> list[FederationAny]:
        """Answer `_entities`: per representation an entity, an awaitable of one, None, or the error of that place alone."""
        return [self._resolve(info, representation) for representation in representations]

    def _resolve(self, info: strawberry.Info, representation: object) -> Any:
        if not isinstance(representation, Mapping) or not isinstance(representation.get("__typename"), str):
            return BadUserInputError("A representation is an object with a __typename.")
        entity = self.schema_converter.type_map.get(representation["__typename"])
        origin = getattr(entity.definition, "origin", None) if entity is not None else None
        resolve = getattr(origin, "resolve_reference", None)
        if resolve is None:
            return BadUserInputError("This subgraph has no entity of that type.")
        names, takes_any = _parameters(resolve.__func__)
        fields = {to_snake_case(name): value for name, value in representation.items() if name != "__typename"}
        known = fields if takes_any else {name: value for name, value in fields.items() if name in names}
        try:
            return resolve(info=info, **known)
        except TypeError as error:
            return BadUserInputError("The representation has none of the keys of its type.") if not known else error
        except FieldError as error:
            return error


@cache
def _parameters(function: Any) -> tuple[frozenset[str], bool]:
    parameters = inspect.signature(function).parameters.values()
    return (
        frozenset(parameter.name for parameter in parameters),
        any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters),
    )


def subgraph_schema(*, query: type, mutation: type | None = None, types: Iterable[type] = ()) -> SubgraphSchema:
    """Return the schema of a subgraph. `types`: entities that no root field reaches."""
    return SubgraphSchema(
        query=query,
        mutation=mutation,
        types=types,
        config=StrawberryConfig(scalar_map=cast("dict[object, Any]", dict(SCALARS))),
        extensions=[lambda: ParserCache(maxsize=_CACHED_DOCUMENTS), lambda: ValidationCache(maxsize=_CACHED_DOCUMENTS)],
    )


def print_subgraph_schema(schema: SubgraphSchema) -> str:
    """Return the SDL as written to `schema/subgraphs/<name>.graphql`: without federation's own fields and types."""
    result = cast("str", schema.execute_sync("{ _service { sdl } }").data["_service"]["sdl"])  # type: ignore[index]  # always there
    return result.rstrip() + "\n"
