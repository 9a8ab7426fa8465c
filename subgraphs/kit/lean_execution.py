"""Executes the plainest fields without graphql-core's way around: values that are there, of types that are known.

Most fields of an answer are leaves that an object holds already. graphql-core makes a resolve info for each, asks whether
the value is awaitable, and walks its type again. Here a field of scalars or enums that has no resolver of its own is made into
one function when the schema is built; whatever that does not understand goes the usual way, errors too.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from graphql import GraphQLObjectType, GraphQLOutputType, Undefined, is_leaf_type, is_list_type, is_non_null_type
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

if TYPE_CHECKING:
    from graphql.pyutils import Path

T = TypeVar("T")
Plain: TypeAlias = Callable[[Any], Any]
"""Object → the field's completed value, or `UNKNOWN`."""

UNKNOWN = object()
"""Nothing that the short way understands."""

_CLASSES = frozenset({str, int, float, bool, Decimal, dt.date, dt.datetime})
"""Classes of values that can be neither awaited nor raised."""


def plain_field(read: Plain, return_type: GraphQLOutputType) -> Plain | None:
    """Return the short way to a field that `read` takes from the object; None where its type has fields of its own.

    `read` runs again where the short way gives up, so it must only look.
    """
    complete = _completer(return_type)
    if complete is None:
        return None

    def plain(source: Any) -> Any:
        return complete(read(source))

    return plain


def _completer(return_type: GraphQLOutputType) -> Plain | None:
    if is_non_null_type(return_type):
        inner = _completer(return_type.of_type)
        if inner is None:
            return None

        def complete_present(value: Any) -> Any:
            return UNKNOWN if value is None else inner(value)

        return complete_present
    if is_list_type(return_type):
        item = _completer(return_type.of_type)
        if item is None:
            return None

        def complete_list(value: Any) -> Any:
            if value is None:
                return None
            if value.__class__ is not list and value.__class__ is not tuple:
                return UNKNOWN
            items = [item(each) for each in value]
            return UNKNOWN if UNKNOWN in items else items

        return complete_list
    if not is_leaf_type(return_type):
        return None
    coerce = return_type.coerce_output_value

    def complete_leaf(value: Any) -> Any:
        if value is None:
            return None
        if value.__class__ not in _CLASSES and not isinstance(value, enum.Enum):
            return UNKNOWN
        coerced = coerce(value)
        return UNKNOWN if coerced is None or coerced is Undefined else coerced

    return complete_leaf


class LeanExecution(StrawberryGraphQLCoreExecutionContext):
    """strawberry's execution with the short way for fields whose resolver has a `plain` attribute."""

    def execute_field(
        self,
        parent_type: GraphQLObjectType,
        source: Any,
        field_details_list: Any,
        path: Path,
        position_context: Any,
    ) -> Any:
        """Execute one field."""
        name = field_details_list[0].node.name.value
        if name == "__typename":
            return parent_type.name
        fields: Mapping[str, Any] = parent_type.fields
        field = fields.get(name)
        plain = getattr(field.resolve, "plain", None) if field is not None else None
        if plain is not None:
            try:
                value = plain(source)
            except Exception:  # noqa: BLE001 - the usual way meets it again, and locates it
                value = UNKNOWN
            if value is not UNKNOWN:
                return value
        return super().execute_field(parent_type, source, field_details_list, path, position_context)

    def with_abort_signal(self, awaitable: Awaitable[T]) -> Any:
        """Await a value. No signal can abort what we execute: another coroutine around each would only be in the way."""
        return awaitable if self.abort_signal is None else super().with_abort_signal(awaitable)
