"""Billing periods and proration: where a cycle stands, and what part of one a change is worth."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any


def add_interval(at: int, interval: str, count: int) -> int:
    """Return the unix time `count` intervals later; months keep the day of the month where it exists."""
    moment = dt.datetime.fromtimestamp(at, dt.UTC)
    match interval:
        case "day":
            return at + count * 86_400
        case "week":
            return at + count * 7 * 86_400
        case "month" | "year":
            months = moment.year * 12 + moment.month - 1 + count * (12 if interval == "year" else 1)
            year, month = divmod(months, 12)
            day = min(moment.day, calendar.monthrange(year, month + 1)[1])
            return int(moment.replace(year=year, month=month + 1, day=day).timestamp())
        case _:
            raise ValueError(interval)


def period_around(anchor: int, now: int, interval: str, count: int) -> tuple[int, int]:
    """Return the cycle of `anchor` that contains `now`; the first one when `now` lies before."""
    step = 0
    while (following := add_interval(anchor, interval, (step + 1) * count)) <= now:
        step += 1
    return add_interval(anchor, interval, step * count), following


def amount_of(price: Mapping[str, Any], quantity: int | None) -> int:
    """Return the charge per cycle in minor units; metered prices are charged by use, so 0 ahead of it."""
    if (price["recurring"] or {}).get("usage_type") == "metered":
        return 0
    return charge_of(price, 1 if quantity is None else quantity)


def charge_of(price: Mapping[str, Any], quantity: int) -> int:
    """Return what a quantity costs in minor units, however it is charged."""
    return int((Decimal(price["unit_amount_decimal"]) * quantity).quantize(Decimal(1), ROUND_HALF_UP))


def prorated(amount: int, period: tuple[int, int], at: int) -> int:
    """Return the part of a cycle's amount that falls after `at`."""
    left = Decimal(max(0, period[1] - at)) / Decimal(period[1] - period[0])
    return int((Decimal(amount) * left).quantize(Decimal(1), ROUND_HALF_UP))
