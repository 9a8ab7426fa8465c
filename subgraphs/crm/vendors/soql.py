"""SOQL as text: literals and conditions that no value can break out of.

https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_quotedstringescapes.htm
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

_ESCAPES = {"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}


def quote(text: str) -> str:
    r"""Return a string literal: `O'Neil` → `'O\'Neil'`. What can't be printed is left out: no name holds it."""
    return "'" + "".join(_ESCAPES.get(letter, letter if letter.isprintable() else "") for letter in text) + "'"


def contains(field: str, word: str) -> str:
    """Return the condition that a text has `word` within it, upper and lower case alike."""
    pattern = quote(word)[1:-1].replace("%", "\\%").replace("_", "\\_")
    return f"{field} LIKE '%{pattern}%'"


def is_in(field: str, values: Iterable[str]) -> str:
    """Return the condition that a field has one of the values."""
    return f"{field} IN ({','.join(quote(value) for value in values)})"


def print_instant(instant: dt.datetime) -> str:
    """Return a dateTime literal, in seconds: `2026-03-02T10:00:00Z`."""
    return instant.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def select(fields: Sequence[str], kind: str, conditions: Sequence[str] = (), *, order: str = "Id") -> str:
    """Return a query of everything that meets all conditions."""
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT {','.join(fields)} FROM {kind}{where} ORDER BY {order}"  # noqa: S608 - values are quoted above
