"""Terms in whole months."""

from __future__ import annotations

import calendar
import datetime as dt


def last_day_of_term(starts_on: dt.date, months: int) -> dt.date:
    """Return the last day of a term: (2026-03-15, 12) → 2027-03-14."""
    year, month = divmod(starts_on.year * 12 + starts_on.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return dt.date(year, month + 1, min(starts_on.day, last)) - dt.timedelta(days=1)


def months_of_term(starts_on: dt.date, ends_on: dt.date) -> int:
    """Return the length of a term in whole months, at least one: (2026-03-15, 2027-03-14) → 12."""
    after = ends_on + dt.timedelta(days=1)
    months = (after.year - starts_on.year) * 12 + after.month - starts_on.month
    return max(1, months - (after.day < starts_on.day and (after + dt.timedelta(days=1)).day != 1))
