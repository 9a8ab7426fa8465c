"""What the filling derives from the company's business keys: ids, instants and amounts as Stripe writes them."""

from __future__ import annotations

import datetime as dt
import hashlib
import string
from decimal import Decimal

_ALPHABET = string.digits + string.ascii_letters


def stable_id(prefix: str, reference: str, length: int) -> str:
    """Return an id that looks like Stripe's and is the same in every filling: ("cus", "CUST-0001", 14) → `cus_…`."""
    number = int.from_bytes(hashlib.sha256(f"{prefix}:{reference}".encode()).digest(), "big")
    letters = []
    for _ in range(length):
        number, digit = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[digit])
    return f"{prefix}{'' if '_' in prefix else '_'}{''.join(letters)}"


def midnight(on: dt.date) -> int:
    """Return the unix time at which a UTC day begins."""
    return int(dt.datetime(on.year, on.month, on.day, tzinfo=dt.UTC).timestamp())


def minor(amount: Decimal) -> int:
    """Return cents; the company trades in two-decimal currencies only."""
    return int(amount * 100)
