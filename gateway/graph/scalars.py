"""Scalars of the gateway's own graph, which mean what the subgraphs' scalars of these names mean."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import strawberry
from graphql import GraphQLError

_MOST_DIGITS = 38


def _parse_decimal(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise GraphQLError('A Decimal is written as a string such as "12.50", so that it stays exact.')
    try:
        number = Decimal(value)
    except InvalidOperation as error:
        raise GraphQLError('A Decimal is written as digits, such as "12.50".') from error
    if not number.is_finite() or len(number.as_tuple().digits) > _MOST_DIGITS or abs(number.adjusted()) > _MOST_DIGITS:
        raise GraphQLError(f"A Decimal is finite and has at most {_MOST_DIGITS} digits.")
    return number


def _parse_instant(value: object) -> dt.datetime:
    try:
        instant = dt.datetime.fromisoformat(value if isinstance(value, str) else "")
        if instant.tzinfo is not None:
            return instant.astimezone(dt.UTC)
    except (ValueError, OverflowError) as error:
        raise GraphQLError('A DateTime is written by RFC 3339, such as "2026-01-31T09:30:00Z".') from error
    raise GraphQLError('A DateTime names its offset, such as "2026-01-31T09:30:00Z".')


def _parse_date(value: object) -> dt.date:
    try:
        return dt.date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError as error:
        raise GraphQLError('A Date is written as year, month and day, such as "2026-01-31".') from error


SCALARS: Mapping[object, Any] = {
    Decimal: strawberry.scalar(
        name="Decimal",
        description='An exact decimal number, as a string such as "12.50".',
        serialize=lambda value: format(value, "f"),
        parse_value=_parse_decimal,
    ),
    dt.datetime: strawberry.scalar(
        name="DateTime",
        description='An instant in UTC, such as "2026-01-31T09:30:00Z".',
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=lambda value: value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z"),
        parse_value=_parse_instant,
    ),
    dt.date: strawberry.scalar(
        name="Date",
        description='A calendar date, such as "2026-01-31".',
        serialize=dt.date.isoformat,
        parse_value=_parse_date,
    ),
}
"""Type in Python → scalar."""
