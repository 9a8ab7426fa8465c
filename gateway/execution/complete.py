"""Complete an answer: from the response tree to what the client selected, null propagation included.

https://spec.graphql.org/draft/#sec-Handling-Execution-Errors
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, assert_never

from gateway.execution.located import ErrorList, Failure
from gateway.execution.shape import (
    DeniedShape,
    FieldShape,
    LeafKind,
    LeafShape,
    ListShape,
    MaskedShape,
    ObjectShape,
    PlaceShape,
    RawShape,
    Shape,
    TypenameShape,
    TypeNeededShape,
)
from gateway.execution.walk import ConcretePath

OwnerOf = Callable[[ConcretePath], Failure]
"""Gives the failure, without a place, of whoever was to supply the field at a path."""


MASK = "•••"
"""What stands for a text that the caller may not read."""


class _Propagate(Exception):  # noqa: N818 - a signal, never seen outside this module
    """A null that must not be here: the parent becomes null instead."""


_MAX_INT = 2**31
_MAX_DEPTH = 100
"""Levels of a custom scalar's value: what lies deeper, clients' parsers and our own writer refuse."""


class Completer:
    """Completes one tree. The slow, exact way: it names the place of everything that is wrong."""

    def __init__(
        self, variables: Mapping[str, Any], errors: ErrorList, owner_of: OwnerOf, denied_at: OwnerOf | None = None
    ) -> None:
        """`denied_at` gives the failure of a place that the caller may not see."""
        self._denied_at = denied_at or owner_of
        self._variables = variables
        self._errors = errors
        self._owner_of = owner_of

    def complete(self, shape: ObjectShape, data: dict[str, Any]) -> dict[str, Any] | None:
        """Return the answer's `data`; what is wrong with it is added to the errors."""
        try:
            return self._fields(shape.by_type[shape.type_name], shape.type_name, data, ())
        except _Propagate:
            return None

    def _fields(
        self, fields: tuple[FieldShape, ...], type_name: Any, value: dict[str, Any], path: ConcretePath
    ) -> dict[str, Any]:
        completed: dict[str, Any] = {}
        for field in fields:
            if not field.conditions or field.is_included(self._variables):
                if isinstance(field.shape, TypenameShape):
                    completed[field.name] = type_name
                elif isinstance(field.shape, PlaceShape):
                    completed[field.name] = None
                elif isinstance(field.shape, DeniedShape):
                    self._errors.add((*path, field.name), self._denied_at((*path, field.name)))
                    if not field.is_nullable:
                        raise _Propagate
                    completed[field.name] = None
                elif isinstance(field.shape, TypeNeededShape):
                    raise AssertionError("an object is completed without the type that it needs")
                else:
                    completed[field.name] = self._position(
                        field.shape, field.is_nullable, value.get(field.name), (*path, field.name)
                    )
        return completed

    def _needs_type(self, fields: tuple[FieldShape, ...]) -> bool:
        first = fields[0] if fields else None
        return first is not None and isinstance(first.shape, TypeNeededShape) and first.is_included(self._variables)

    def _position(self, shape: Shape, is_nullable: bool, value: Any, path: ConcretePath) -> Any:
        """Complete the value of one field or list item: the positions at which a null may stop."""
        try:
            completed = None if value is None else self._value(shape, value, path)
        except _Propagate:
            completed = None
        if completed is None and not is_nullable:
            if not self._errors.explains(path):
                self._errors.add(path, self._owner_of(path))
            raise _Propagate
        return completed

    def _value(self, shape: Shape, value: Any, path: ConcretePath) -> Any:
        match shape:
            case LeafShape(kind, values):
                completed = coerce_leaf(kind, values, value)
                if completed is None:
                    self._errors.add(path, self._owner_of(path))
                return completed
            case ListShape(item, is_item_nullable):
                if value.__class__ is not list:
                    self._errors.add(path, self._owner_of(path))
                    return None
                return [
                    self._position(item, is_item_nullable, each, (*path, index)) for index, each in enumerate(value)
                ]
            case ObjectShape():
                if value.__class__ is dict:
                    type_name = value.get("__typename") if shape.is_abstract else shape.type_name
                    if isinstance(type_name, str) and type_name in shape.denied_types:
                        self._errors.add(path, self._denied_at(path))
                        return None
                    fields = shape.fields_of(type_name)
                    if fields is not None and not self._needs_type(fields):
                        return self._fields(fields, type_name, value, path)
                self._errors.add(path, self._owner_of(path))
                return None
            case RawShape():
                return value
            case MaskedShape():
                return MASK
            case DeniedShape():
                raise AssertionError("a denied field has no value")
            case TypenameShape() | PlaceShape() | TypeNeededShape():
                raise AssertionError("only a field of an object is a type name, a place or a need")
            case _:
                assert_never(shape)


def is_deep(value: Any) -> bool:
    """Tell whether a value of a custom scalar is nested deeper than any JSON that is passed on."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(_MAX_DEPTH):
        if not level:
            return False
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
    return bool(level)


def coerce_leaf(kind: LeafKind, values: frozenset[str], value: Any) -> Any:
    """Return a non-null leaf as the client gets it, or None where it is not of its type.

    https://spec.graphql.org/draft/#sec-Scalars.Result-Coercion-and-Serialization
    """
    match kind:
        case LeafKind.ANY:
            return None if is_deep(value) else value
        case LeafKind.STRING:
            return value if value.__class__ is str else None
        case LeafKind.ID:
            return value if value.__class__ is str else str(value) if value.__class__ is int else None
        case LeafKind.INT:
            if value.__class__ is float and value.is_integer():
                value = int(value)
            return value if value.__class__ is int and -_MAX_INT <= value < _MAX_INT else None
        case LeafKind.FLOAT:
            return value if value.__class__ in (float, int) else None
        case LeafKind.BOOLEAN:
            return value if value.__class__ is bool else None
        case LeafKind.ENUM:
            return value if value.__class__ is str and value in values else None
        case _:
            assert_never(kind)


def visible_path(
    shape: ObjectShape, path: ConcretePath, data: Mapping[str, Any], variables: Mapping[str, Any]
) -> ConcretePath:
    """Return the longest part of a tree path that the client selected, `@skip` and `@include` considered.

    Keys and required fields are fetched for the gateway's own use; an error there belongs to the object that needs them.
    """
    current: Shape | None = shape
    value: Any = data
    for at, step in enumerate(path):
        if isinstance(step, int):
            current = current.item if isinstance(current, ListShape) else None
            value = value[step] if isinstance(value, list) and 0 <= step < len(value) else None
        elif isinstance(current, ObjectShape):
            current, value = _follow(current, step, value, variables)
        else:
            current = None
        if current is None:
            return path[:at]
    return path


def _follow(shape: ObjectShape, name: str, value: Any, variables: Mapping[str, Any]) -> tuple[Shape | None, Any]:
    holder = value if isinstance(value, dict) else {}
    known = shape.fields_of(holder.get("__typename", shape.type_name))
    for fields in (known,) if known is not None else shape.by_type.values():
        for field in fields:
            if field.name == name and not isinstance(field.shape, PlaceShape) and field.is_included(variables):
                return field.shape, holder.get(name)
    return None, None
