"""Products in a campaign: new ones, and ones with another name, that every catalogue is to have as billing has them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from landscape import Landscape

WITHIN_S = 180.0
RENAMED = ("SSO", "ANALYTICS", "STORAGE")
NEW = ("NEW-1", "NEW-2", "NEW-3", "NEW-4")
SKUS = (*RENAMED, *NEW)
"""Each is distributed and taken back again and again, so that the next time everything is to be done once more."""


def name_of(sku: str) -> str:
    return f"{sku} as it is called now"


def changed_catalogue(landscape: Landscape) -> None:
    """Change what billing sells, and return once its subgraph has heard of it."""
    for sku in NEW:
        landscape.list_product(sku, name_of(sku), 1250)
    for sku in RENAMED:
        landscape.rename_product(sku, name_of(sku))
    until = time.monotonic() + WITHIN_S
    for sku in SKUS:
        while not (known := landscape.billed_product(sku)) or known["name"] != name_of(sku) or not known["prices"]:
            assert time.monotonic() < until, f"billing has not heard of {sku}"
            time.sleep(0.1)


@dataclass
class Distributing:
    """What is sold becomes known to the ERP and the CRM."""

    landscape: Landscape
    sku: str
    kind: str = "product-distribution"
    mutation: str = "distributeProduct"
    before: dict[str, Any] = field(default_factory=dict)

    def given(self) -> dict[str, Any]:
        self.before = self.landscape.catalogues(self.sku)
        return {"sku": self.sku, "revenueRule": "RATABLE_MONTHLY", "taxCode": "SAAS"}

    def judge(self, workflow: str, status: str) -> list[str]:
        del workflow
        after = self.landscape.catalogues(self.sku)
        is_new = self.sku in NEW
        in_use = {"crm": after["crm"], "erp": [each for each in after["erp"] if each["active"]]}
        # What was made and taken back stays in the ERP, out of use.
        made = len(after["erp"]) - len(self.before["erp"])
        match status:
            case "COMPLETED":
                names = [each["name"] for each in (*in_use["crm"], *in_use["erp"])]
                prices = _prices(in_use) if is_new else None
                is_right = names == [name_of(self.sku)] * 2 and made == int(is_new)
                is_right = is_right and (prices == [_NEW] * 2 if is_new else _prices(after) == _prices(self.before))
            case "COMPENSATED" if is_new:
                is_right = not in_use["crm"] and not in_use["erp"] and made in {0, 1}
            case "COMPENSATED":
                is_right = after == self.before
            case _:
                is_right = False
        return [] if is_right else [f"{self.sku}: {self.before} -> {after}"]


_NEW = (Decimal("12.5"), None, None)


def _prices(held: dict[str, Any]) -> list[Any]:
    return [(each["eur"], each.get("gbp"), each.get("usd")) for each in (*held["crm"], *held["erp"])]
