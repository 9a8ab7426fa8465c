"""Month arithmetic of contracts, whose months begin on days 1 to 28."""

from __future__ import annotations

import datetime as dt

ONE_DAY = dt.timedelta(days=1)


def add_months(day: dt.date, months: int) -> dt.date:
    """Return the same day `months` later; the day of the month is at most 28."""
    index = day.year * 12 + day.month - 1 + months
    return day.replace(year=index // 12, month=index % 12 + 1)


def months_between(start: dt.date, end: dt.date) -> int:
    """Return how many whole contract months lie between two days, never negative."""
    return max(0, (end.year - start.year) * 12 + end.month - start.month - (end.day < start.day))


def month_code(day: dt.date) -> str:
    """Return `2025-03`."""
    return f"{day.year:04}-{day.month:02}"


def month_end(day: dt.date) -> dt.date:
    """Return the last day of the month."""
    return add_months(day.replace(day=1), 1) - ONE_DAY
