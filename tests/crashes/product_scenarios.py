"""Products in a campaign: new ones, and ones with another name, that every catalogue is to have as billing has them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from landscape import Landscape

WITHIN_S = 60.0
RENAMED = ("SSO", "ANALYTICS", "STORAGE")
"""Products that are given another name again and again."""


@dataclass
class Distributing:
    """What is sold becomes known to the ERP and the CRM."""

    landscape: Landscape
    sku: str
    name: str
    kind: str = "product-distribution"
    mutation: str = "distributeProduct"
    before: dict[str, Any] = field(default_factory=dict)

    @property
    def is_new(self) -> bool:
        return self.sku not in RENAMED

    def given(self) -> dict[str, Any]:
        self.before = self.landscape.catalogues(self.sku)
        if self.is_new:
            self.landscape.list_product(self.sku, self.name, 1250)
        else:
            self.landscape.rename_product(self.sku, self.name)
        until = time.monotonic() + WITHIN_S
        while (
            not (known := self.landscape.billed_product(self.sku)) or known["name"] != self.name or not known["prices"]
        ):
            assert time.monotonic() < until, f"billing has not heard of {self.name}"
            time.sleep(0.1)
        return {"sku": self.sku, "revenueRule": "RATABLE_MONTHLY", "taxCode": "SAAS"}

    def judge(self, workflow: str, status: str) -> list[str]:
        del workflow
        after = self.landscape.catalogues(self.sku)
        match status:
            case "COMPLETED":
                is_right = [each["name"] for each in (*after["crm"], *after["erp"])] == [self.name] * 2 and (
                    all(each["active"] for each in after["erp"])
                    and (not self.is_new or after["crm"][0]["eur"] == after["erp"][0]["eur"] == Decimal("12.5"))
                    and (self.is_new or _prices(after) == _prices(self.before))
                )
            case "COMPENSATED" if self.is_new:
                is_right = (
                    not after["crm"] and not any(each["active"] for each in after["erp"]) and len(after["erp"]) < 2
                )
            case "COMPENSATED":
                is_right = after == self.before
            case _:
                is_right = False
        return [] if is_right else [f"{self.sku} {self.name}: {self.before} -> {after}"]


def _prices(held: dict[str, Any]) -> list[Any]:
    return [(each["eur"], each.get("gbp"), each.get("usd")) for each in (*held["crm"], *held["erp"])]
