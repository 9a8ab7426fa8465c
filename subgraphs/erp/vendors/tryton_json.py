"""Tryton's JSON: decimals, dates and instants travel as `{"__class__": …}`, in replies, bodies, domains and contexts alike.

    encode(Decimal("220.00"))  →  {"__class__": "Decimal", "decimal": "220.00"}
    decode({"__class__": "date", "year": 2026, "month": 1, "day": 31})  →  date(2026, 1, 31)

Instants are naive and in UTC. Filters and orders are the base64url of such a document.
"""

from __future__ import annotations

import base64
import datetime as dt
from decimal import Decimal
from typing import Any

import orjson

Json = Any
_NESTED = (dict, list)


def _notation(value: Json) -> Json:
    match value:
        case Decimal():
            return {"__class__": "Decimal", "decimal": str(value)}
        case dt.datetime():
            at = value.astimezone(dt.UTC) if value.tzinfo else value
            day = {"year": at.year, "month": at.month, "day": at.day}
            clock = {"hour": at.hour, "minute": at.minute, "second": at.second, "microsecond": at.microsecond}
            return {"__class__": "datetime", **day, **clock}
        case dt.date():
            return {"__class__": "date", "year": value.year, "month": value.month, "day": value.day}
        case _:
            raise TypeError(f"{type(value).__name__} has no place in Tryton's JSON")


def print_json(value: Json) -> bytes:
    """Return the document. Raises TypeError for a value that Tryton has no notation for."""
    return orjson.dumps(value, default=_notation, option=orjson.OPT_PASSTHROUGH_DATETIME)


def encode(value: Json) -> Json:
    """Return `value` as plain JSON values, with every decimal, date and instant in Tryton's notation."""
    return orjson.loads(print_json(value))


def decode(value: Json) -> Json:
    """Return `value` with Tryton's notation read. Raises KeyError, ValueError or ArithmeticError when it is broken."""
    # Answers are megabytes of nested rows: no pattern matching, and no call for a plain value.
    if type(value) is list:
        return [decode(item) if type(item) in _NESTED else item for item in value]
    if type(value) is not dict:
        return value
    match value.get("__class__"):
        case None:
            return {name: decode(item) if type(item) in _NESTED else item for name, item in value.items()}
        case "Decimal":
            return Decimal(value["decimal"])
        case "date":
            return dt.date(value["year"], value["month"], value["day"])
        case "datetime":
            day = (value["year"], value["month"], value["day"])
            clock = (value["hour"], value["minute"], value["second"], value["microsecond"])
            return dt.datetime(*day, *clock, tzinfo=dt.UTC)
        case _:
            return {name: decode(item) for name, item in value.items()}


def to_parameter(value: Json) -> str:
    """Return the base64url form of a domain, an order or a context."""
    return base64.urlsafe_b64encode(print_json(value)).decode()


def from_parameter(text: str) -> Json:
    """Return what `to_parameter` got. Raises ValueError."""
    return decode(orjson.loads(base64.urlsafe_b64decode(text)))
