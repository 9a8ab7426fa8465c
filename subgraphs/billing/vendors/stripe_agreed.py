"""What was agreed and Stripe has no field for, read out of a subscription's metadata: the term, the notice, the limits."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Mapping

from subgraphs.billing.records import months_between

_ONE_DAY = dt.timedelta(days=1)


def agreed_term(
    metadata: Mapping[str, str], starts_on: dt.date, today: dt.date | None
) -> tuple[dt.date, dt.date | None]:
    """Return the first and last day of the term that holds `today`; the agreed one without `today`."""
    try:
        end = dt.date.fromisoformat(metadata.get("term_ends_on", ""))
        start = dt.date.fromisoformat(metadata.get("term_starts_on", "")) if "term_starts_on" in metadata else starts_on
    except ValueError:
        return starts_on, None
    months = months_between(start, end + _ONE_DAY)
    while today is not None and end < today and months > 0:
        start, end = end + _ONE_DAY, _add_months(end + _ONE_DAY, months) - _ONE_DAY
    return start, end


def _add_months(on: dt.date, months: int) -> dt.date:
    """Return the day `months` later, or the last of its month where that day does not exist."""
    year, month = divmod(on.year * 12 + on.month - 1 + months, 12)
    return dt.date(year, month + 1, min(on.day, calendar.monthrange(year, month + 1)[1]))


def whole_number(text: str | None) -> int:
    """Return a number that people may have mistyped; 0 for anything else."""
    return int(text) if text is not None and text.isascii() and text.isdecimal() else 0


def agreed_limits(metadata: Mapping[str, str]) -> dict[str, int | None]:
    """Return feature → its agreed limit."""
    return {
        key.removeprefix("limit."): int(value)
        for key, value in metadata.items()
        if key.startswith("limit.") and value.isdecimal()
    }
