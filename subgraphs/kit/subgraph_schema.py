"""A subgraph's schema: federation 2.11, the shared scalars, parsed and validated once per document, no logging of expected errors.

Reference resolvers are class methods of an entity: `async def resolve_reference(cls, info, *, crm_ref: str) -> Customer | None`.
They get the representation's fields as keyword arguments in snake_case; fields they don't name are left away.
None means that there is no such entity.
"""

from __future__ import annotations

import dataclasses
import inspect
import logging
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import Any, cast

import strawberry
from graphql import DocumentNode, GraphQLError, ObjectTypeDefinitionNode, Undefined, parse, print_ast
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.federation.schema import FederationAny
from strawberry.federation.schema_directives import Key
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext
from strawberry.utils.str_converters import to_snake_case

from subgraphs.kit.consumers import Consumers, tag
from subgraphs.kit.descriptions import describe
from subgraphs.kit.guard import Access, apply
from subgraphs.kit.lean_execution import LeanExecution
from subgraphs.kit.lean_resolvers import lean_resolvers
from subgraphs.kit.money import SCALARS
from subgraphs.kit.system_error import BadUserInputError, FieldError

_log = logging.getLogger(__name__)
_CACHED_DOCUMENTS = 2000


class SubgraphSchema(strawberry.federation.Schema):
    """A federated schema whose entity resolver answers every representation by itself."""

    consumers: Consumers = {}  # noqa: RUF012 - replaced, never changed

    def as_str(self) -> str:
        """Return the SDL. The kit's own types carry tags of whichever schema of the process was made last: here, of this one."""
        tag(self.consumers, self)
        return super().as_str()

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
        if resolve is None or origin is None:
            return BadUserInputError("This subgraph has no entity of that type.")
        names, takes_any = _parameters(resolve.__func__)
        keys = _key_fields(origin)
        fields = {}
        for name, value in representation.items():
            if name == "__typename" or (value is None and name in keys):
                continue
            if name in keys and not isinstance(value, str):
                return BadUserInputError("The keys of an entity are texts.")
            fields[_snake_case(name)] = value
        if keys.isdisjoint(name for name, value in representation.items() if value is not None):
            return BadUserInputError("The representation has none of the keys of its type.")
        try:
            return resolve(info=info, **{name: value for name, value in fields.items() if takes_any or name in names})
        except FieldError as error:
            return error


# Names come in by request, so that the cache has an end.
_snake_case = lru_cache(maxsize=_CACHED_DOCUMENTS)(to_snake_case)


@cache
def _key_fields(entity: type) -> frozenset[str]:
    """Return the names of the fields that `@key` names: plain ones, which is all that our subgraphs have."""
    directives = getattr(entity, "__strawberry_definition__").directives or ()  # noqa: B009 - strawberry adds it
    return frozenset(name for key in directives if isinstance(key, Key) for name in str(key.fields).split())


@cache
def _parameters(function: Any) -> tuple[frozenset[str], bool]:
    parameters = inspect.signature(function).parameters.values()
    return (
        frozenset(parameter.name for parameter in parameters),
        any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters),
    )


def subgraph_schema(
    *,
    query: type,
    mutation: type | None = None,
    types: Iterable[type] = (),
    access: Access | None = None,
    consumers: Consumers | None = None,
) -> SubgraphSchema:
    """Return the schema of a subgraph. `types`: entities that no root field reaches; `access`: who may see what;
    `consumers`: whose variants of the graph have what.

    Types and fields without a description of their own are described by their docstrings, and what all subgraphs share
    (connections, ids, paging) by the kit's words.
    """

    def build() -> SubgraphSchema:
        return SubgraphSchema(
            query=query,
            mutation=mutation,
            types=types,
            execution_context_class=LeanExecution,
            config=StrawberryConfig(scalar_map=cast("dict[object, Any]", dict(SCALARS))),
            extensions=[
                lambda: ParserCache(maxsize=_CACHED_DOCUMENTS),
                lambda: ValidationCache(maxsize=_CACHED_DOCUMENTS),
            ],
        )

    schema = build()
    if access or consumers:
        # Links to the directives' specifications are written when a schema is built, types are known only then.
        apply(access or {}, schema)
        tag(consumers or {}, schema)
        schema = build()
        schema.consumers = consumers or {}
    describe(schema)
    _forget_null_defaults(schema)
    lean_resolvers(schema)
    return schema


def _forget_null_defaults(schema: SubgraphSchema) -> None:
    """Python's `= None` says that an argument may be left away, which a nullable type says already."""
    for drawn in schema._schema.type_map.values():  # noqa: SLF001 - strawberry offers no other way to the built schema
        for field in getattr(drawn, "fields", {}).values():
            for optional in (field, *getattr(field, "args", {}).values()):
                if getattr(optional, "default_value", Undefined) is None:
                    optional.default_value = Undefined


_FEDERATION_NAMES = frozenset({"_Any", "_Entity", "_Service", "_entities", "_service"})


def print_subgraph_schema(schema: SubgraphSchema) -> str:
    """Return the SDL as written to `schema/subgraphs/<name>.graphql`: without the fields and types that federation adds."""
    document = parse(schema.as_str(), no_location=True)
    definitions = []
    for definition in document.definitions:
        name = getattr(getattr(definition, "name", None), "value", None)
        if name in _FEDERATION_NAMES:
            continue
        if isinstance(definition, ObjectTypeDefinitionNode) and name == "Query":
            fields = tuple(field for field in definition.fields or () if field.name.value not in _FEDERATION_NAMES)
            definition = dataclasses.replace(definition, fields=fields)  # noqa: PLW2901 - the same definition, cleaned
        definitions.append(definition)
    return print_ast(DocumentNode(definitions=tuple(definitions))) + "\n"
