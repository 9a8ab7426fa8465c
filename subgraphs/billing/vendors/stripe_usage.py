"""Usage rows of the mirror → meter readings."""

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
