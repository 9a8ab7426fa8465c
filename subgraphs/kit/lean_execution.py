"""Executes the plainest fields without graphql-core's way around: values that are there, of types that are known.

Most fields of an answer are leaves that an object holds already. graphql-core makes a resolve info for each, asks whether
the value is awaitable, and walks its type again. Here a field of scalars or enums that needs nothing but its object is
made into one function when the schema is built, and an object that is asked for nothing but such fields (an amount, an
entry of a ledger) into one function for each place that asks for it; whatever that does not understand goes the usual way,
errors too.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from graphql import (
    FieldNode,
    GraphQLObjectType,
    GraphQLOutputType,
    Undefined,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
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


SHORT = "concord.short"
"""Where a drawn type's extensions hold its `PlainObjects`."""
_MOST_PLACES = 2_000
_Places: TypeAlias = dict[int, tuple[FieldNode, Plain | None]]
"""By the node's identity, which holds while the node is kept here: documents are parsed once."""


class PlainObjects:
    """The short way to objects of one type, for each place in a document that asks for nothing but plain fields of it."""

    def __init__(self, drawn: GraphQLObjectType, origin: type) -> None:
        """`origin` is the class of the objects."""
        self._drawn = drawn
        self._origin = origin
        self._objects: _Places = {}
        self._fields: _Places = {}

    def of(self, node: FieldNode) -> Plain | None:
        """Return what completes an object that this node asks for; None where that needs the usual way."""
        return self._once(self._objects, node, self._made)

    def field(self, node: FieldNode) -> Plain | None:
        """Return the short way to a field of such an object, where a node asks for it; None as above."""
        return self._once(self._fields, node, self._field)

    def _once(self, known: _Places, node: FieldNode, make: Callable[[FieldNode], Plain | None]) -> Plain | None:
        found = known.get(id(node))
        if found is None:
            if len(known) >= _MOST_PLACES:
                known.clear()
            found = known[id(node)] = (node, make(node))
        return found[1]

    def _made(self, node: FieldNode) -> Plain | None:
        fields: dict[str, Plain] = {}
        for each in node.selection_set.selections if node.selection_set is not None else ():
            if not isinstance(each, FieldNode) or each.directives or each.arguments:
                return None
            key = each.alias.value if each.alias is not None else each.name.value
            plain = self._field(each)
            if plain is None or key in fields:
                return None
            fields[key] = plain
        origin, rows = self._origin, tuple(fields.items())

        def complete(value: Any) -> Any:
            if value.__class__ is not origin:
                return None if value is None else UNKNOWN
            made = {}
            for key, plain in rows:
                made[key] = found = plain(value)
                if found is UNKNOWN:
                    return UNKNOWN
            return made

        return complete

    def _field(self, node: FieldNode) -> Plain | None:
        name = node.name.value
        if name == "__typename":
            return lambda _: self._drawn.name
        field = self._drawn.fields.get(name)
        return None if field is None else short_way(field.resolve, field.type, node)


def short_way(resolve: Any, return_type: GraphQLOutputType, node: FieldNode) -> Plain | None:
    """Return the short way to a field where a node asks for it: object → completed value, or `UNKNOWN`."""
    plain: Plain | None = getattr(resolve, "plain", None)
    read: Plain | None = getattr(resolve, "read", None)
    if plain is not None or read is None or node.arguments:
        return plain
    return plain_field(read, return_type, node)


def plain_field(read: Plain, return_type: GraphQLOutputType, node: FieldNode | None = None) -> Plain | None:
    """Return the short way to a field that `read` takes from the object; None where it can't be known.

    Of a type with fields of its own it can only be known for a node.

    `read` runs again where the short way gives up, so it must only look.
    """
    complete = _completer(return_type, node)
    if complete is None:
        return None

    def plain(source: Any) -> Any:
        return complete(read(source))

    return plain


def _completer(return_type: GraphQLOutputType, node: FieldNode | None) -> Plain | None:
    if is_non_null_type(return_type):
        inner = _completer(return_type.of_type, node)
        if inner is None:
            return None

        def complete_present(value: Any) -> Any:
            return UNKNOWN if value is None else inner(value)

        return complete_present
    if is_list_type(return_type):
        item = _completer(return_type.of_type, node)
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
    if node is not None and is_object_type(return_type):
        objects: PlainObjects | None = return_type.extensions.get(SHORT)
        return None if objects is None else objects.of(node)
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
        node = field_details_list[0].node
        name = node.name.value
        if name == "__typename":
            return parent_type.name
        fields: Mapping[str, Any] = parent_type.fields
        field = fields.get(name)
        plain = None
        if field is not None:
            plain = getattr(field.resolve, "plain", None)
            if plain is None and len(field_details_list) == 1 and hasattr(field.resolve, "read"):
                plain = self._at(parent_type, node)
        if plain is not None:
            try:
                value = plain(source)
            except Exception:  # noqa: BLE001 - the usual way meets it again, and locates it
                value = UNKNOWN
            if value is not UNKNOWN:
                return value
        return super().execute_field(parent_type, source, field_details_list, path, position_context)

    def _at(self, parent_type: GraphQLObjectType, node: FieldNode) -> Plain | None:
        """Return the short way to a field with fields of its own, at one node."""
        objects: PlainObjects | None = parent_type.extensions.get(SHORT)
        return None if objects is None else objects.field(node)

    def complete_object_value(
        self,
        return_type: GraphQLObjectType,
        field_details_list: Any,
        info: Any,
        path: Path,
        result: Any,
        position_context: Any,
    ) -> Any:
        """Complete an object that a resolver gave."""
        objects: PlainObjects | None = return_type.extensions.get(SHORT)
        if objects is not None and len(field_details_list) == 1:
            plain = objects.of(field_details_list[0].node)
            if plain is not None:
                try:
                    value = plain(result)
                except Exception:  # noqa: BLE001 - as above
                    value = UNKNOWN
                if value is not UNKNOWN:
                    return value
        return super().complete_object_value(return_type, field_details_list, info, path, result, position_context)

    def with_abort_signal(self, awaitable: Awaitable[T]) -> Any:
        """Await a value. No signal can abort what we execute: another coroutine around each would only be in the way."""
        return awaitable if self.abort_signal is None else super().with_abort_signal(awaitable)
