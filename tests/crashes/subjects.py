"""What a campaign works on: deals, contracts and customers, no two workflows of a round about the same customer.

A customer is told from another by the business key that each vendor's own record carries, not by what identity has
learned by then: what the judge compares must not be changed by another workflow of the round.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import product_scenarios
from contract_books import active_contracts, known_contracts
from customer_scenarios import Onboarding, Syncing
from landscape import Landscape
from product_scenarios import Distributing
from scenarios import SKUS, Amending, Closing, Crediting, Renewing, Scenario

_OF_CONTRACTS = {"amendment": Amending, "renewal": Renewing, "credit": Crediting}


@dataclass
class Subjects:
    """Deals and contracts to be used, each by one workflow of a round."""

    landscape: Landscape
    chance: random.Random
    kinds: tuple[str, ...]
    deals: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """With the customer's business key."""
    contracts: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    products: list[str] = field(default_factory=lambda: list(product_scenarios.SKUS))
    newcomers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        companies, customers = self.landscape.references()
        if "quote-to-cash" in self.kinds:
            keyed = (
                (companies.get(each["customer"]["crmRef"].partition("+")[0]), each)
                for each in self.landscape.open_deals()
            )
            self.deals = [(key, deal) for key, deal in keyed if key]
        if "product-distribution" in self.kinds:
            product_scenarios.changed_catalogue(self.landscape)
        if {*_OF_CONTRACTS, "customer-sync"} & set(self.kinds):
            known_contracts(self.landscape, 6)
            keyed = ((customers.get(each["customer"]["billingRef"]), each) for each in active_contracts(self.landscape))
            self.contracts = [(key, contract) for key, contract in keyed if key]

    def scenarios(self, count: int) -> list[Scenario]:
        """As many as asked for, of the kinds in turn, as long as there are customers for them."""
        self.chance.shuffle(self.deals)
        self.chance.shuffle(self.contracts)
        self.chance.shuffle(self.products)
        taken: set[str] = set()
        found = (self._scenario(self.kinds[place % len(self.kinds)], place, taken) for place in range(count))
        return [each for each in found if each is not None]

    def _scenario(self, kind: str, place: int, taken: set[str]) -> Scenario | None:
        match kind:
            case "quote-to-cash":
                sku = "NO-SUCH-SKU" if place % 5 == 4 else self.chance.choice(SKUS)
                deal = _take(self.deals, taken)
                return deal and Closing(self.landscape, deal[1], sku)
            case "onboarding":
                return Onboarding(self.landscape, f"CUST-N{next(self.newcomers):04}")
            case "product-distribution":
                sku = next((each for each in self.products if each not in taken), None)
                taken.add(sku or "")
                return sku and Distributing(self.landscape, sku)
            case "customer-sync":
                for key, contract in self.contracts:
                    customer = self.landscape.customer(billingRef=contract["customer"]["billingRef"])
                    if key not in taken and customer and customer["crmRef"] and customer["erpRef"]:
                        taken.add(key)
                        return Syncing(self.landscape, key, customer, self.chance)
                return None
            case _:
                able = (each for each in self.contracts if kind != "renewal" or each[1]["endsOn"])
                contract = _take(able, taken)
                return contract and _OF_CONTRACTS[kind](self.landscape, contract[1], self.chance)


def _take(subjects: Iterable[tuple[str, dict[str, Any]]], taken: set[str]) -> tuple[str, dict[str, Any]] | None:
    found = next((each for each in subjects if each[0] not in taken), None)
    if found is not None:
        taken.add(found[0])
    return found
