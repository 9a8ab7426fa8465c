"""What billing, their owner, says of a product's name and list prices, as copies are compared with it. Pure.

An owner's product: `{"name", "prices": [{"reference", "active", "interval", "intervalCount", "unitAmount"}]}`
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

PRODUCT = "sku name active prices{reference active interval intervalCount unitAmount{amount currency}}"
"""The selection."""
_ORDER = {"MONTH": 0, "YEAR": 1, None: 2}
"""Which of a product's list prices the copies have: a month's, else a year's, else that of a one-off charge."""


class TwoPrices(Exception):  # noqa: N818 - reads as what it is
    """Billing has several list prices of a product in one currency for the same cycle, and none of them is the one."""


def owned_values(product: Mapping[str, Any]) -> dict[str, str]:
    """Return `{"name": "Core seat", "price.EUR": "24", …}`; equal amounts are equal texts. Raises `TwoPrices`."""
    found: dict[str, tuple[int, str]] = {}
    for price in product["prices"] or ():
        amount, order = price["unitAmount"], _ORDER.get(price["interval"])
        is_listed = price["active"] and price["reference"] is not None and price["intervalCount"] == 1
        if not is_listed or amount is None or order is None:
            continue
        name, value = f"price.{amount['currency']}", plain(amount["amount"])
        known = found.get(name)
        if known is not None and known[0] == order and known[1] != value:
            raise TwoPrices(name)
        if known is None or order < known[0]:
            found[name] = (order, value)
    named = {"name": product["name"]} if product["name"] else {}
    return {**named, **{name: value for name, (_, value) in sorted(found.items())}}


def held_values(record: Mapping[str, Any] | None) -> dict[str, str | None] | None:
    """Return the fields of a system's own record (`erpRecord`), None where it has none."""
    return None if record is None else {each["name"]: each["value"] for each in record["fields"]}


def plain(amount: str) -> str:
    """Return the shortest notation of a decimal."""
    return format(Decimal(amount).normalize(), "f")
