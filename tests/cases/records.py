"""A page's data behind schemas: one store that the unsplit schema and every subgraph read from.

Data is `{"Query": {field: value}, "Type": [records]}`. An object with a `__typename` stands for the record that has its
other fields. A field with arguments may be stored under its call, `price(currency: "EUR")`. `{"=": "price * weight"}` is
worked out from the object's fields and the arguments; in a subgraph only from what the representation carries.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLSchema, graphql_sync, is_object_type

from gateway.execution.ports import RequestContext, SubgraphAnswer, SubgraphFailure, SubgraphRequest


@dataclass(frozen=True, slots=True)
class Object:
    """A record as somebody sees it. `given` is what a representation carried, None where all is known."""

    typename: str
    record: dict[str, Any]
    given: dict[str, Any] | None


class Records:
    """The store."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data

    def root(self, operation: str) -> dict[str, Any]:
        """Return the values of root fields."""
        found: dict[str, Any] = self._data.get(operation, {})
        return found

    def find(self, typename: str, fields: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
        """Return the record with these fields, of the type or, for an interface object, of any type."""
        types = [typename] if typename in self._data else [name for name in self._data if name not in _ROOTS]
        for name in types:
            for record in self._data[name]:
                if all(_is_equal(record[key], value) for key, value in fields.items() if key in record):
                    return name, record
        return None


def _is_equal(stored: Any, given: Any) -> bool:
    """Whether a record's value is the given one; worked-out values are taken as they come."""
    return stored == given or (isinstance(stored, dict) and "=" in stored)


_ROOTS = ("Query", "Mutation", "Subscription")


class Resolver:
    """Resolves fields of one schema over the store."""

    def __init__(self, records: Records, *, is_subgraph: bool) -> None:
        self._records = records
        self._is_subgraph = is_subgraph

    def field(self, source: Any, info: Any, **arguments: Any) -> Any:
        """Resolve any field."""
        if info.field_name == "_entities":
            return [self.entity(each, info.schema) for each in arguments["representations"]]
        if source is None:
            source = Object(info.parent_type.name, self._records.root(info.parent_type.name), None)
        call = f"{info.field_name}({', '.join(f'{k}: {_text(v)}' for k, v in sorted(arguments.items()))})"
        value = source.record.get(call, source.record.get(info.field_name))
        if isinstance(value, dict) and "=" in value:
            known = source.record if source.given is None and not self._is_subgraph else source.given or {}
            return eval(value["="], {"len": len, "sum": sum}, {**known, **arguments})  # our own pages
        return self._seen(value)

    def entity(self, representation: dict[str, Any], schema: GraphQLSchema) -> Object | None:
        """Return the object a representation stands for."""
        fields = {key: value for key, value in representation.items() if key != "__typename"}
        scalars = {key: value for key, value in fields.items() if not isinstance(value, dict | list)}
        name = representation["__typename"]
        found = self._records.find(name, scalars)
        if found is None:
            return None
        return Object(name if is_object_type(schema.get_type(name)) else found[0], found[1], fields)

    def type_name(self, value: Object, info: Any, abstract: Any) -> str:
        """Return an object's type."""
        return value.typename

    def _seen(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._seen(each) for each in value]
        if not isinstance(value, dict):
            return value
        fields = {key: each for key, each in value.items() if key != "__typename"}
        typename = value.get("__typename", "")
        if typename in _ROOTS:
            return Object(typename, self._records.root(typename), None)
        found = self._records.find(typename, fields) if typename in self._records._data else None
        return Object(found[0], found[1], None) if found else Object(typename, fields, None)


def _text(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


class PageSubgraph:
    """A `SubgraphClient` over the store."""

    def __init__(self, schema: GraphQLSchema, records: Records) -> None:
        self._schema = schema
        self._resolver = Resolver(records, is_subgraph=True)

    async def fetch(self, request: SubgraphRequest, context: RequestContext) -> SubgraphAnswer:
        result = answer(self._schema, self._resolver, request.document, dict(request.variables))
        return SubgraphAnswer(result)

    async def subscribe(
        self, request: SubgraphRequest, context: RequestContext
    ) -> AsyncGenerator[SubgraphAnswer, None]:
        raise SubgraphFailure("SYSTEM_REJECTED", "pages have no streams", is_sent=False)
        yield

    async def aclose(self) -> None:
        pass


def answer(schema: GraphQLSchema, resolver: Resolver, document: str, variables: dict[str, Any]) -> dict[str, Any]:
    """Execute a document against the store, as graphql-core does."""
    result = graphql_sync(
        schema, document, variable_values=variables, field_resolver=resolver.field, type_resolver=resolver.type_name
    )
    return dict(result.formatted)
