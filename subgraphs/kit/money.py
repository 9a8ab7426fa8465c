"""Money and the scalars every subgraph shares; amounts are exact decimals, never floats.

`SCALARS` goes into the schema's `scalar_map`; `subgraph_schema` does that for every subgraph.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NewType

import strawberry
from graphql import GraphQLError

from subgraphs.kit.minor_unit import exactly, minor_digits

Currency = NewType("Currency", str)

_CURRENCY = re.compile(r"[A-Z]{3}")
_MAX_DIGITS = 38


def parse_decimal(value: object) -> Decimal:
    """Return the exact decimal of a string or integer such as `"12.50"`. Raises GraphQLError for floats, NaN and text."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise GraphQLError('A Decimal is written as a string such as "12.50", so that it stays exact.')
    try:
        number = Decimal(value)
    except InvalidOperation as error:
        raise GraphQLError('A Decimal is written as digits, such as "12.50".') from error
    if not number.is_finite() or len(number.as_tuple().digits) > _MAX_DIGITS or abs(number.adjusted()) > _MAX_DIGITS:
        raise GraphQLError(f"A Decimal is finite and has at most {_MAX_DIGITS} digits.")
    return number


def print_decimal(value: Decimal) -> str:
    """Return the plain notation: `Decimal("1E+2")` → `"100"`, `Decimal("1.50")` → `"1.50"`."""
    return format(value, "f")


def plain_decimal(value: Decimal) -> str:
    """Return the shortest notation, equal for equal numbers: `Decimal("24.00")` → `"24"`, `Decimal("0.80")` → `"0.8"`."""
    return format(value.normalize(), "f")


def parse_currency(value: object) -> Currency:
    """Return an ISO 4217 alphabetic code. Raises GraphQLError for anything else than three capital letters."""
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        raise GraphQLError('A Currency is an ISO 4217 code such as "EUR".')
    return Currency(value)


def _print_instant(value: dt.datetime) -> str:
    return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def _parse_instant(value: object) -> dt.datetime:
    try:
        instant = dt.datetime.fromisoformat(value if isinstance(value, str) else "")
        if instant.tzinfo is not None:
            return instant.astimezone(dt.UTC)
    except (ValueError, OverflowError) as error:  # the latter: its offset leads out of the calendar
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
        serialize=print_decimal,
        parse_value=parse_decimal,
    ),
    Currency: strawberry.scalar(
        name="Currency",
        description='An ISO 4217 currency code such as "EUR".',
        specified_by_url="https://www.iso.org/iso-4217-currency-codes.html",
        serialize=str,
        parse_value=parse_currency,
    ),
    dt.datetime: strawberry.scalar(
        name="DateTime",
        description='An instant in UTC, such as "2026-01-31T09:30:00Z".',
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=_print_instant,
        parse_value=_parse_instant,
    ),
    dt.date: strawberry.scalar(
        name="Date",
        description='A calendar date, such as "2026-01-31".',
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=dt.date.isoformat,
        parse_value=_parse_date,
    ),
}
"""Python type → GraphQL scalar, equal in all subgraphs."""


@strawberry.federation.type(shareable=True, description="An exact amount in one currency.")
class Money:
    """An exact amount in one currency."""

    amount: Decimal = strawberry.field(
        description="In the currency's major unit, so `12.50` is twelve and a half dollars. Negative where money goes back."
    )
    currency: Currency = strawberry.field(
        description="The currency the amount is in; nothing in the graph converts between currencies."
    )

    @classmethod
    def of(cls, amount: Decimal, currency: str) -> Money:
        """Return the amount as its owner has it, with at least the decimals of the currency: 12.5 EUR → `12.50`."""
        return cls(amount=exactly(amount, minor_digits(currency)), currency=Currency(currency))


def sum_money(amounts: Iterable[Money]) -> Money | None:
    """Return the sum, or None for no amounts or amounts of several currencies: those have no sum."""
    found = list(amounts)
    if not found or len({money.currency for money in found}) > 1:
        return None
    return Money.of(sum((money.amount for money in found), Decimal(0)), found[0].currency)
