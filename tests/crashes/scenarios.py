"""What a campaign asks for and how it judges the end, one class for each kind of workflow."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from contract_books import Books, left_behind, read_books, version_of
from landscape import Landscape

SKUS = ("CORE-SEAT", "PLATFORM")


class Scenario(Protocol):
    """One workflow of a round."""

    kind: str
    mutation: str

    def given(self) -> dict[str, Any]:
        """The workflow's input as the graph makes it; what the systems hold is noted."""

    def judge(self, workflow: str, status: str) -> list[str]:
        """What is wrong with what the systems hold, now that it has ended so."""


def closing(opportunity: str, version: str, sku: str) -> dict[str, Any]:
    """Return a workflow's input as the graph makes it."""
    return {
        "opportunityId": opportunity,
        "version": version,
        "items": [{"sku": sku, "quantity": 3, "interval": None}],
        "startsOn": time.strftime("%Y-%m-%d", time.gmtime()),
        "termMonths": 12,
        "noticeDays": 30,
        "daysUntilDue": 30,
        "currency": None,
    }


@dataclass
class Closing:
    """Quote-to-cash of a deal."""

    landscape: Landscape
    deal: dict[str, Any]
    sku: str
    kind: str = "quote-to-cash"
    mutation: str = "closeOpportunity"
    _stage: str = ""

    def given(self) -> dict[str, Any]:
        before = self.landscape.deal(self.deal["id"])
        self._stage = before["stage"]
        return closing(self.deal["id"], before["version"], self.sku)

    def judge(self, workflow: str, status: str) -> list[str]:
        number = f"CON-{time.strftime('%Y', time.gmtime())}-{workflow[-8:].upper()}"
        held = self.landscape.held(self.deal["id"], number)
        match status:
            case "COMPLETED":
                is_right = (
                    (held.stage, held.contract_number) == ("WON", number)
                    and held.subscriptions == ["active"]
                    and held.bills == ["open"]
                    and held.named[0] is not None
                    and held.invoices == ["posted"]
                    and len(held.deferrals) == 1
                    and held.opening_entries == 1
                )
            case "COMPENSATED":
                is_right = (
                    (held.stage, held.contract_number) == (self._stage, None)
                    and set(held.subscriptions) <= {"canceled"}
                    and len(held.subscriptions) <= 1
                    and set(held.bills) <= {"void"}
                    and set(held.invoices) <= {"cancelled"}
                    and len(held.invoices) <= 1
                    and not any(held.ledger.values())
                    and (self.sku != "NO-SUCH-SKU" or held.subscriptions == [])
                )
            case _:
                is_right = False
        return [] if is_right else [str(held)]


@dataclass
class _OfContract:
    """A workflow about a contract that there is."""

    landscape: Landscape
    contract: dict[str, Any]
    chance: random.Random
    kind: str = ""
    mutation: str = ""
    asked: dict[str, Any] = field(default_factory=dict)
    before: Books | None = None

    def given(self) -> dict[str, Any]:
        self.before = read_books(self.landscape, self.contract)
        self.asked = {"number": self.contract["number"], **self.wanted()}
        return self.asked

    def wanted(self) -> dict[str, Any]:
        raise NotImplementedError

    def judge(self, workflow: str, status: str) -> list[str]:
        del workflow
        assert self.before is not None
        after = read_books(self.landscape, self.contract)
        match status:
            case "COMPLETED":
                return self.judge_done(self.before, after)
            case "COMPENSATED":
                return left_behind(self.before, after)
            case _:
                return [f"ended {status}"]

    def judge_done(self, before: Books, after: Books) -> list[str]:
        raise NotImplementedError


def _new(before: dict[Any, Any], after: dict[Any, Any]) -> list[Any]:
    return [value for key, value in after.items() if key not in before]


@dataclass
class Amending(_OfContract):
    """More or fewer of a product."""

    kind: str = "amendment"
    mutation: str = "amendContract"

    def wanted(self) -> dict[str, Any]:
        item = self.chance.choice([each for each in self.contract["items"] if each["quantity"]])
        more = self.chance.choice((3, 5, -1)) if item["quantity"] > 1 else 2
        sku = "NO-SUCH-SKU" if self.chance.random() < 0.1 else item["product"]["sku"]
        quantity = self._quantity(item) + more
        items = [{"sku": sku, "quantity": max(1, quantity), "interval": None}]
        return {"version": version_of(self.landscape, self.contract["number"]), "items": items}

    def _quantity(self, item: dict[str, Any]) -> int:
        document = "query($n: String!) { contractTerms(number: $n) { items { sku quantity } } }"
        items = self.landscape.ask("billing", document, {"n": self.contract["number"]})["contractTerms"]["items"]
        return next(each["quantity"] for each in items if each["sku"] == item["product"]["sku"])

    def judge_done(self, before: Books, after: Books) -> list[str]:
        wrong = []
        bills, documents = _new(before.bills, after.bills), _new(before.documents, after.documents)
        if sorted(after.items.values()) == sorted(before.items.values()):
            wrong.append("the quantity is as it was")
        if len(bills) != 1 or bills[0][1] is None:
            wrong.append(f"bills {bills}")
        elif len(documents) != 1 or documents[0][0] not in ("posted", "paid"):
            wrong.append(f"documents {documents}")
        elif documents[0][1] != Decimal(bills[0][2]) / 100:
            wrong.append(f"billed {bills[0][2]}, posted {documents[0][1]}")
        if after.pending != before.pending:
            wrong.append("charges that no invoice has")
        return wrong


@dataclass
class Renewing(_OfContract):
    """Another term."""

    kind: str = "renewal"
    mutation: str = "renewContract"

    def wanted(self) -> dict[str, Any]:
        months = self.chance.choice((None, 6, 24))
        return {"version": version_of(self.landscape, self.contract["number"]), "termMonths": months}

    def judge_done(self, before: Books, after: Books) -> list[str]:
        wrong = []
        documents = _new(before.documents, after.documents)
        if after.metadata["term_ends_on"] <= before.metadata["term_ends_on"]:
            wrong.append(f"the term ends {after.metadata['term_ends_on']}")
        if len(documents) != 1 or documents[0][0] not in ("draft", "posted"):
            wrong.append(f"documents {documents}")
        if after.stage != "renewed" or after.items != before.items or after.owed != before.owed:
            wrong.append(f"{after.stage} {after.items} {after.owed}")
        return wrong


@dataclass
class Crediting(_OfContract):
    """A credit of an amount."""

    kind: str = "credit"
    mutation: str = "creditContract"

    def wanted(self) -> dict[str, Any]:
        amount = str(Decimal(self.chance.randint(100, 2000)) / 100)
        return {"invoiceId": None, "invoiceVersion": None, "amount": amount, "reason": "Goodwill"}

    def judge_done(self, before: Books, after: Books) -> list[str]:
        wrong = []
        documents, notes = _new(before.documents, after.documents), _new(before.notes, after.notes)
        if [net for _, net in documents] != [-Decimal(self.asked["amount"])]:
            wrong.append(f"documents {documents}")
        if len(notes) > 1 or any(status != "issued" for status, _ in notes):
            wrong.append(f"credit notes {notes}")
        if notes and before.owed - after.owed != notes[0][1]:
            wrong.append(f"owed {before.owed} -> {after.owed} by {notes}")
        lines = set(after.description.splitlines()) - set(before.description.splitlines())
        if len(lines) != 1 or "credits" not in next(iter(lines)):
            wrong.append(f"notes {lines}")
        return wrong
