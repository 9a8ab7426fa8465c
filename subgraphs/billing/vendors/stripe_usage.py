"""Usage rows of the mirror ↔ meter readings."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from subgraphs.billing.derivation import MeterReading


def meter_reading(row: Mapping[str, Any]) -> MeterReading:
    """Return what a row of the mirror says."""
    days = {dt.date.fromisoformat(on): Decimal(value) for on, value in row["days"].items()}
    return MeterReading(is_level=row["formula"] == "last", days=days)


def with_use(row: Mapping[str, Any], on: dt.date, quantity: Decimal) -> dict[str, Any]:
    """Return the row with one use more, as the meter will count it."""
    days = dict(row["days"])
    key = on.isoformat()
    match row["formula"]:
        case "last":
            days[key] = str(quantity)
        case "count":
            days[key] = str(Decimal(days.get(key, "0")) + 1)
        case _:
            days[key] = str(Decimal(days.get(key, "0")) + quantity)
    return {**row, "days": days}
