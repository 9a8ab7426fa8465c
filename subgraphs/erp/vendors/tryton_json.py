"""Tryton's JSON: decimals, dates and instants travel as `{"__class__": …}`, in replies, bodies, domains and contexts alike.

    encode(Decimal("220.00"))  →  {"__class__": "Decimal", "decimal": "220.00"}
    decode({"__class__": "date", "year": 2026, "month": 1, "day": 31})  →  date(2026, 1, 31)

Instants are naive and in UTC. Filters and orders are the base64url of such a document.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson

Json = Any


def encode(value: Json) -> Json:
    """Return `value` with every decimal, date and instant in Tryton's notation."""
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
        case Mapping():
            return {name: encode(item) for name, item in value.items()}
        case list() | tuple():
            return [encode(item) for item in value]
        case _:
            return value


def decode(value: Json) -> Json:
    """Return `value` with Tryton's notation read. Raises KeyError, ValueError or ArithmeticError when it is broken."""
    match value:
        case {"__class__": "Decimal"}:
            return Decimal(value["decimal"])
        case {"__class__": "date"}:
            return dt.date(value["year"], value["month"], value["day"])
        case {"__class__": "datetime"}:
            day = (value["year"], value["month"], value["day"])
            clock = (value["hour"], value["minute"], value["second"], value["microsecond"])
            return dt.datetime(*day, *clock, tzinfo=dt.UTC)
        case dict():
            return {name: decode(item) for name, item in value.items()}
        case list():
            return [decode(item) for item in value]
        case _:
            return value


def to_parameter(value: Json) -> str:
    """Return the base64url form of a domain, an order or a context."""
    return base64.urlsafe_b64encode(orjson.dumps(encode(value))).decode()


def from_parameter(text: str) -> Json:
    """Return what `to_parameter` got. Raises ValueError."""
    return decode(orjson.loads(base64.urlsafe_b64decode(text)))
