"""Query → records: conditions by the types of fields, as Salesforce compares them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from functools import cmp_to_key
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from subgraphs.crm.sandbox.salesforce.refusal import Refusal
from subgraphs.crm.sandbox.salesforce.schema import Field, ObjectType
from subgraphs.crm.sandbox.salesforce.soql import Combine, Compare, Condition, Literal, Query
from subgraphs.kit.sandbox.state import Document

_ORDERINGS = {"=": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}
_LITERALS = {
    "date": "date", "datetime": "date", "currency": "number", "percent": "number", "int": "number", "boolean": "word",
}  # fmt: skip


def evaluate(query: Query, kind: ObjectType, records: Iterable[Document]) -> list[Document]:
    """Return the records that meet the conditions, in order. Raises Refusal."""
    for name in query.fields:
        _field(kind, name)
    where = query.where
    if where is not None:
        _check(where, kind)
    found = [held for held in records if where is None or _meets(where, kind, held)]
    for order in reversed(query.order):
        field = _field(kind, order.field)
        found.sort(key=cmp_to_key(lambda a, b, field=field, order=order: _compare(a, b, field, order)))  # type: ignore[misc]  # bound now
    end = None if query.limit is None else query.offset + query.limit
    return found[query.offset : end]


def _compare(left: Document, right: Document, field: Field, order: Any) -> int:
    a, b = (_comparable(field, held.get(field.name)) for held in (left, right))
    if a is None or b is None:
        sign = (a is None) - (b is None)
        return sign if order.nulls_last else -sign
    sign = int(a > b) - int(a < b)
    return -sign if order.is_descending else sign


def _check(condition: Condition, kind: ObjectType) -> None:
    """Raise Refusal for unknown fields and for values of another type than the field's."""
    match condition:
        case Combine(parts=parts):
            for part in parts:
                _check(part, kind)
        case Compare(field=name, values=values):
            field = _field(kind, name)
            for value in values:
                wanted = _LITERALS.get(field.type, "text")
                is_null = value.kind == "word" and value.text.lower() == "null"
                is_instant = "T" in value.text
                if not is_null and (
                    value.kind != wanted or (wanted == "date" and is_instant != (field.type == "datetime"))
                ):
                    message = (
                        f"value of filter criterion for field '{name}' must be of type {field.type}"
                        f" and should {'be' if wanted == 'text' else 'not be'} enclosed in quotes"
                    )
                    raise Refusal(400, "INVALID_FIELD", message)


def _meets(condition: Condition, kind: ObjectType, held: Document) -> bool:
    match condition:
        case Combine(operator="AND", parts=parts):
            return all(_meets(part, kind, held) for part in parts)
        case Combine(operator="OR", parts=parts):
            return any(_meets(part, kind, held) for part in parts)
        case Combine(parts=(inner,)):
            return not _meets(inner, kind, held)
        case Compare(field=name, operator=operator, values=values):
            field = kind.fields[name]
            own = _comparable(field, held.get(name))
            wanted = [_value(field, value) for value in values]
            match operator:
                case "IN":
                    return own in wanted
                case "NOT IN":
                    return own not in wanted
                case "LIKE":
                    return own is not None and _is_like(str(own), values[0].text)
                case "=" | "!=":
                    return bool(_ORDERINGS[operator](own, wanted[0]))
                case _:
                    return own is not None and wanted[0] is not None and bool(_ORDERINGS[operator](own, wanted[0]))
        case _:
            raise AssertionError(condition)


def _is_like(text: str, pattern: str) -> bool:
    parts = re.findall(r"\\[%_]|[%_]|[^%_\\]+|\\", pattern.lower())
    wild = {"%": ".*", "_": "."}
    expression = "".join(
        wild.get(part) or re.escape(part.removeprefix("\\") if len(part) == 2 else part) for part in parts
    )
    return re.fullmatch(expression, text, re.DOTALL) is not None


def _field(kind: ObjectType, name: str) -> Field:
    field = kind.fields.get(name)
    if field is None:
        raise Refusal(400, "INVALID_FIELD", f"No such column '{name}' on entity '{kind.name}'.")
    return field


def _value(field: Field, literal: Literal) -> Any:
    """Return a literal as a value that compares with the field's."""
    if literal.kind == "word" and literal.text.lower() == "null":
        return None
    match _LITERALS.get(field.type):
        case "number":
            return float(literal.text)
        case "word":
            return literal.text.lower() == "true"
        case _:
            return _comparable(field, literal.text)


def _comparable(field: Field, value: Any) -> Any:
    """Return a value that compares as Salesforce compares: instants by time, ids exactly, other text without case."""
    if value is None:
        return None
    match field.type:
        case "datetime":
            return dt.datetime.fromisoformat(value)
        case "date":
            return dt.date.fromisoformat(value)
        case "currency" | "percent" | "int":
            return float(value)
        case "boolean":
            return bool(value)
        case "id" | "reference":
            return str(value)
        case _:
            return str(value).lower()
