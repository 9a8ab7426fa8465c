"""What each system holds of one contract by its vendor's own interface, and how that differs from what it held before."""

from __future__ import annotations

import base64
import time
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from landscape import Landscape

_NO_MARKS = ("amended.", "renewed.", "limit.")
CONTRACTS = """{ contracts(first: 200, filter: { status: [ACTIVE] }) {
  edges { node { number version endsOn items { product { sku } quantity } customer { billingRef } } } } }"""
_DEAL = "query($r: [_Any!]!) { _entities(representations: $r) { ... on Contract { renewalStage opportunity { id } } } }"


@dataclass(frozen=True)
class Books:
    """One contract in three systems."""

    items: dict[str, int | None]
    """Stripe price → quantity."""
    metadata: dict[str, str]
    """Of the subscription, without what marks changes."""
    ends_at: int | None
    owed: int
    """What the customer owes billing in minor units: open invoices and his balance, less refunds."""
    bills: dict[str, tuple[str, str | None, int]]
    """Stripe invoice → (status, the ERP's number, subtotal)."""
    notes: dict[str, tuple[str, int]]
    """Credit note → (status, amount)."""
    pending: int
    """Charges that no invoice has."""
    documents: dict[int, tuple[str, Decimal]]
    """ERP document → (state, net)."""
    ledger: dict[str, Decimal]
    """Account → sum of all entries of the contract's documents, deferrals and reversals."""
    deferrals: int
    stage: str | None
    description: str


def active_contracts(landscape: Landscape) -> list[dict[str, Any]]:
    """Contracts with a deal in the CRM, of customers that identity and the ERP know and that are not on hold."""
    edges = landscape.ask("billing", CONTRACTS, {})["contracts"]["edges"]
    found = []
    for contract in (edge["node"] for edge in edges):
        document = "query($r: [_Any!]!) { _entities(representations: $r) { ... on Customer { erpRef } } }"
        wanted = {"__typename": "Customer", "billingRef": contract["customer"]["billingRef"]}
        customer = landscape.ask("identity", document, {"r": [wanted]})["_entities"][0]
        deal = landscape.ask("crm", _DEAL, {"r": [{"__typename": "Contract", "number": contract["number"]}]})[
            "_entities"
        ][0]
        if customer and customer["erpRef"] and deal and deal["opportunity"] and deal["renewalStage"] != "LOST":
            document = "query($r: [_Any!]!) { _entities(representations: $r) { ... on Customer { creditHold } } }"
            held = landscape.ask("erp", document, {"r": [{"__typename": "Customer", "erpRef": customer["erpRef"]}]})
            if held["_entities"] == [{"creditHold": False}]:
                found.append({**contract, "deal": _local(deal["opportunity"]["id"])})
    return found


def known_contracts(landscape: Landscape, count: int) -> list[dict[str, Any]]:
    """So many of them at least, of different customers, once the systems have told identity of theirs."""
    until = time.monotonic() + 120
    while True:
        found: dict[str, dict[str, Any]] = {}
        for contract in active_contracts(landscape):
            if contract["endsOn"] and any(item["quantity"] for item in contract["items"]):
                found.setdefault(contract["customer"]["billingRef"], contract)
        if len(found) >= count:
            return list(found.values())
        assert time.monotonic() < until, f"only {len(found)} contracts are known everywhere"
        time.sleep(0.5)


def known_deals(landscape: Landscape, count: int) -> list[dict[str, Any]]:
    """So many open deals at least whose customers all systems know, once they have told identity of theirs."""
    until = time.monotonic() + 120
    while True:
        found = [deal for deal in landscape.open_deals() if landscape.is_known_everywhere(deal)]
        if len(found) >= count:
            return found
        assert time.monotonic() < until, f"only {len(found)} deals are known everywhere"
        time.sleep(0.5)


def version_of(landscape: Landscape, number: str) -> str:
    """The contract's version now, as billing's own subgraph reads it."""
    document = "query($n: String!) { contractTerms(number: $n) { version } }"
    return landscape.ask("billing", document, {"n": number})["contractTerms"]["version"]


def read_books(landscape: Landscape, contract: dict[str, Any]) -> Books:
    """Read every system."""
    number = contract["number"]
    customer = contract["customer"]["billingRef"]
    (subscription,) = [
        each
        for each in landscape.stripe("subscriptions", customer=customer, status="all")
        if each["metadata"].get("contract_number") == number
    ]
    bills = landscape.stripe("invoices", customer=customer)
    notes = [note for bill in bills for note in landscape.stripe("credit_notes", invoice=bill["id"])]
    pending = [each for each in landscape.stripe("invoiceitems", customer=customer) if each["invoice"] is None]
    (owner,) = [each for each in landscape.stripe("customers") if each["id"] == customer]
    opened = sum(bill["amount_remaining"] for bill in bills if bill["status"] == "open")
    paid = sum(bill["amount_paid"] for bill in bills if bill["status"] == "paid")
    refunds = sum(
        note["amount"]
        for note in notes
        if note["type"] == "post_payment" and note["customer_balance_transaction"] is None
    )
    documents = landscape.tryton(
        "account.invoice", [["reference", "=", number]], ["state", "untaxed_amount", "move", "cancel_move"]
    )
    deal = (
        landscape.http.get(
            f"{landscape.sandboxes['crm']}/crm/v3/objects/deals/{contract['deal']}",
            params={"properties": "renewal_stage,description"},
        )
        .raise_for_status()
        .json()["properties"]
    )
    moves, deferrals = landscape.moves_of(number, documents)
    return Books(
        items=dict(Counter({i["price"]["id"]: i.get("quantity") or 0 for i in subscription["items"]["data"]})),
        metadata={k: v for k, v in subscription["metadata"].items() if not k.startswith(_NO_MARKS) and v},
        ends_at=subscription["cancel_at"],
        owed=opened + paid + int(owner["balance"]) - refunds,
        bills={b["id"]: (b["status"], b["metadata"].get("invoice_number"), b["subtotal"]) for b in bills},
        notes={note["id"]: (note["status"], note["amount"]) for note in notes},
        pending=len(pending),
        documents={each["id"]: (each["state"], each["untaxed_amount"]) for each in documents},
        ledger=landscape.ledger_of(moves),
        deferrals=deferrals,
        stage=deal.get("renewal_stage"),
        description=deal.get("description") or "",
    )


def left_behind(before: Books, after: Books) -> list[str]:
    """What an undone workflow left: nothing but reversed documents."""
    wrong = []
    for name in ("items", "metadata", "ends_at", "owed", "pending", "stage", "description"):
        if getattr(before, name) != getattr(after, name):
            wrong.append(f"{name} {getattr(before, name)} -> {getattr(after, name)}")
    new = {key: value for key, value in after.documents.items() if key not in before.documents}
    if sum(net for state, net in new.values() if state != "cancelled"):
        wrong.append(f"documents {new}")
    sums = {account: amount - before.ledger.get(account, Decimal(0)) for account, amount in after.ledger.items()}
    if any(sums.values()):
        wrong.append(f"ledger {sums}")
    return wrong


def _local(global_id: str) -> str:
    return base64.urlsafe_b64decode(global_id + "=" * (-len(global_id) % 4)).decode().partition(":")[2]
