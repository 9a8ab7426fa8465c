"""Resolves fields without strawberry's way around: what can be known when the schema is built is not found out per call.

Strawberry converts every argument's name and looks up every type anew for each resolved field, which costs several times
what our resolvers do. A field with extensions (permissions are some) keeps strawberry's resolver.
"""

from __future__ import annotations

import datetime as dt
import inspect
from collections.abc import Callable, Mapping
from decimal import Decimal
from operator import attrgetter
from typing import TYPE_CHECKING, Any, cast

import strawberry
from graphql import GraphQLObjectType, GraphQLOutputType
from strawberry.types.arguments import StrawberryArgument, convert_argument
from strawberry.types.base import StrawberryObjectDefinition, StrawberryOptional
from strawberry.types.field import StrawberryField

from subgraphs.kit.lean_execution import SHORT, Plain, PlainObjects, plain_field

if TYPE_CHECKING:
    from strawberry.schema.schema import Schema

Resolve = Callable[..., Any]
_PLAIN: tuple[Any, ...] = (int, float, str, bool, Decimal, dt.date, dt.datetime, strawberry.ID)
"""Types whose values graphql-core has made already."""


def lean_resolvers(schema: Schema) -> None:
    """Replace the resolvers of all object types' fields that need nothing of strawberry's."""
    for name, concrete in schema.schema_converter.type_map.items():
        definition = concrete.definition
        drawn = schema._schema.type_map.get(name)  # noqa: SLF001 - strawberry offers no other way to the built schema
        if not isinstance(definition, StrawberryObjectDefinition) or definition.is_input or drawn is None:
            continue
        drawn.extensions[SHORT] = PlainObjects(cast("GraphQLObjectType", drawn), definition.origin)
        for entry in definition.fields:
            field = getattr(drawn, "fields", {}).get(schema.config.name_converter.from_field(entry))
            if field is not None and not entry.extensions and not entry.is_subscription:
                field.resolve = _lean(entry, schema, field.type) or field.resolve


def _lean(entry: StrawberryField, schema: Schema, return_type: GraphQLOutputType) -> Resolve | None:
    resolver = entry.base_resolver
    if resolver is None:
        return _attribute(entry.python_name, return_type)
    if resolver.root_parameter is not None or resolver.parent_parameter is not None:
        return None
    function: Any = resolver.wrapped_func
    info_name = resolver.info_parameter.name if resolver.info_parameter is not None else None
    takes_self = resolver.self_parameter is not None
    arguments = {
        schema.config.name_converter.from_argument(argument): (argument.python_name, _converter(argument, schema))
        for argument in entry.arguments
    }
    info_class = schema.config.info_class

    def resolve(source: Any, raw_info: Any, **given: Any) -> Any:
        values: dict[str, Any] = {}
        info = None
        if info_name is not None:
            values[info_name] = info = info_class(_raw_info=raw_info, _field=entry)
        for name, value in given.items():
            python_name, convert = arguments[name]
            values[python_name] = value if convert is None else convert(value, info, name)
        return function(source, **values) if takes_self else function(**values)

    if arguments or info_name is not None or not takes_self:
        return resolve
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        return lambda source, _info: function(source)
    return _plain(_look(function), return_type, lambda source, _info: function(source))


def _attribute(name: str, return_type: GraphQLOutputType) -> Resolve:
    """Return the resolver of a field that the object just holds, with the short way that `LeanExecution` takes."""
    read = attrgetter(name)
    return _plain(read, return_type, lambda source, _info: read(source))


def _look(function: Plain) -> Plain:
    """Return what asks an object something that it knows by itself: asking twice is the same as asking once."""

    def look(source: Any) -> Any:
        value = function(source)
        if inspect.iscoroutine(value):
            value.close()  # the usual way makes another one
            raise TypeError
        return value

    return look


def _plain(read: Plain, return_type: GraphQLOutputType, resolve: Resolve) -> Resolve:
    """Return a resolver with the short way beside it."""
    resolve.plain = plain_field(read, return_type)  # type: ignore[attr-defined]  # functions take any attribute
    resolve.read = read  # type: ignore[attr-defined]  # as above
    return resolve


def _converter(argument: StrawberryArgument, schema: Schema) -> Callable[[Any, Any, str], Any] | None:
    """Return what makes the argument's value, or None where it is made already."""
    expected = argument.type
    # Not isinstance: strawberry's Maybe is an optional too, whose values are wrapped.
    inner = expected.of_type if type(expected) is StrawberryOptional else expected
    if any(inner is plain for plain in _PLAIN):
        return None
    registry: Mapping[object, Any] = schema.schema_converter.scalar_registry

    def convert(value: Any, info: Any, name: str) -> Any:
        return convert_argument(value, expected, registry, schema.config, info, path=(name,))

    return convert
