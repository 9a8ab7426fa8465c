"""Instants as HubSpot writes them: `2026-01-31T09:30:00.000Z`, or milliseconds since 1970 on input."""

from __future__ import annotations

import datetime as dt


def print_instant(instant: dt.datetime) -> str:
    """Return milliseconds and a Z."""
    return instant.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant.microsecond // 1000:03}Z"


def print_date(day: dt.date) -> str:
    """Return the first instant of a day."""
    return f"{day.isoformat()}T00:00:00.000Z"


def parse_instant(text: str) -> dt.datetime | None:
    """Return the instant, or None if `text` is neither a date, an instant nor milliseconds."""
    try:
        if text.lstrip("-").isdigit():
            return dt.datetime.fromtimestamp(int(text) / 1000, dt.UTC)
        instant = dt.datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=dt.UTC)


def after(previous: str | None) -> str:
    """Return this instant, or a millisecond after `previous` if that is not over: modification times never repeat."""
    now = print_instant(dt.datetime.now(dt.UTC))
    if previous is None or now > previous:
        return now
    last = parse_instant(previous)
    assert last is not None
    return print_instant(last + dt.timedelta(milliseconds=1))
