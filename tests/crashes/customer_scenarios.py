"""Workflows about customers in a campaign: one that becomes known to all systems, and one whose copies are brought up to date."""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass, field
from typing import Any

from landscape import Landscape

_TOWNS = ("Bremen", "Lyon", "Utrecht", "Malmö", "Graz", "Cork", "Leeds", "Bilbao")


@dataclass
class Onboarding:
    """A company that no system knows."""

    landscape: Landscape
    reference: str
    kind: str = "onboarding"
    mutation: str = "onboardCustomer"

    def given(self) -> dict[str, Any]:
        name = f"Newcomer {self.reference}"
        return {
            "name": name,
            "legalName": f"{name} GmbH",
            "reference": self.reference,
            "domain": f"{self.reference.lower()}.example",
            "street": "Marktstraße 1",
            "city": "Bremen",
            "country": "DE",
            "taxId": f"DE{zlib.crc32(self.reference.encode()) % 10**9:09}",
            "email": f"invoices@{self.reference.lower()}.example",
            "segment": "SMB",
        }

    def judge(self, workflow: str, status: str) -> list[str]:
        del workflow
        companies, customers, parties = self.landscape.records_of(self.reference)
        in_use = [each for each in parties if each["active"]]
        held = (
            f"{len(companies)} companies, {len(customers)} billing customers, {len(in_use)} of {len(parties)} parties"
        )
        match status:
            case "COMPLETED":
                if (len(companies), len(customers), len(in_use), len(parties)) != (1, 1, 1, 1):
                    return [held]
                known = self.landscape.customer(crmRef=companies[0]["id"])
                wanted = (companies[0]["id"], customers[0]["id"], str(in_use[0]["id"]))
                found = known and (known["crmRef"], known["billingRef"], known["erpRef"])
                return [] if found == wanted else [f"identity has {found}, not {wanted}"]
            case "COMPENSATED":
                return [] if not companies and not customers and not in_use and len(parties) <= 1 else [held]
            case _:
                return [f"ended {status}: {held}"]


@dataclass
class Syncing:
    """A customer that has moved, as the CRM says."""

    landscape: Landscape
    reference: str
    customer: dict[str, Any]
    """As identity knows it."""
    chance: random.Random
    kind: str = "customer-sync"
    mutation: str = "syncCustomer"
    town: str = ""
    before: dict[str, Any] = field(default_factory=dict)

    def given(self) -> dict[str, Any]:
        self.before = self.landscape.copies_of(self.reference)
        held = {self.before["erp"]["city"], self.before["billing"]["city"]}
        self.town = self.chance.choice([town for town in _TOWNS if town not in held])
        self.landscape.move_company(self.customer["crmRef"], self.town)
        return {"customer": self.customer["id"]}

    def judge(self, workflow: str, status: str) -> list[str]:
        del workflow
        after = self.landscape.copies_of(self.reference)
        match status:
            case "COMPLETED":
                towns = {after["erp"]["city"], after["billing"]["city"]}
                return [] if towns == {self.town} else [f"moved to {self.town}: {self.before} -> {after}"]
            case "COMPENSATED":
                return [] if after == self.before else [f"{self.before} -> {after}"]
            case _:
                return [f"ended {status}"]
