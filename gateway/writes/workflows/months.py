"""Terms in whole months."""

from __future__ import annotations

import calendar
import datetime as dt


def last_day_of_term(starts_on: dt.date, months: int) -> dt.date:
    """Return the last day of a term: (2026-03-15, 12) → 2027-03-14."""
    year, month = divmod(starts_on.year * 12 + starts_on.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return dt.date(year, month + 1, min(starts_on.day, last)) - dt.timedelta(days=1)
