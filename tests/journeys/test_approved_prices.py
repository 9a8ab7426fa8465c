"""What somebody approved is carried out at the price that was approved, or not at all."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from contract_stories import DECIDE, in_books, key, seen, settled, taken, terms
from test_contract_workflows import AMEND, amending

EVIDENCE = "query($id: ID!) { workflow(id: $id) { evidence { step system action answer } } }"
SCOPES = (
    "contracts:read", "contracts:write", "operations:read", "operations:write", "invoices:read", "customers:read",
)  # fmt: skip


@pytest.fixture(scope="module")
def people(agreeing) -> tuple[dict[str, str], dict[str, str]]:
    """Who asks, and who approves."""

    def token(name: str) -> dict[str, str]:
        made = agreeing.run("access", "token", name, *(part for scope in SCOPES for part in ("--scope", scope)))
        assert made.returncode == 0, made.stderr
        return {"authorization": f"Bearer {made.stdout.strip()}"}

    return token("ada"), token("bob")


@pytest.fixture(scope="module")
def stripe(agreeing):
    token = json.loads((agreeing.state / "secrets.json").read_text())["billing_token"]
    url = f"http://127.0.0.1:{agreeing.ports['billing-sandbox']}"
    with httpx2.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, trust_env=False) as client:
        yield client


def waiting(agreeing, asked: dict[str, Any], who: dict[str, str]) -> dict[str, Any]:
    """The workflow that waits for approval, with the quote that stands in its evidence."""
    answer = agreeing.ask(AMEND, {"input": asked, "waitMs": 0}, Idempotency_Key=key(), **who)
    workflow = answer["data"]["amendContract"]["workflow"]
    assert workflow["status"] == "WAITING_APPROVAL", answer
    evidence = agreeing.data(EVIDENCE, {"id": workflow["id"]})["workflow"]["evidence"]
    (quote,) = [json.loads(each["answer"]) for each in evidence if each["action"] == "amendmentQuote"]
    return {**workflow, "quote": quote}


async def test_the_price_of_the_pricing_service_is_the_one_that_was_approved(agreeing, contracts, cpq, people):
    ada, bob = people
    contract = taken(contracts, "ANALYTICS")
    before = seen(agreeing, contract)
    found = waiting(agreeing, amending(contract, ANALYTICS=400), ada)
    assert found["quote"]["authority"] == "cpq"
    # Nobody could give a price anymore, and nobody has to.
    agreeing.client.put(f"{cpq}/__sandbox/faults", json={"mode": "down"}).raise_for_status()
    try:
        agreeing.data(DECIDE % "approveWorkflow", {"id": found["id"]}, **bob)
        ended = await settled(agreeing, found["id"])
    finally:
        agreeing.client.put(f"{cpq}/__sandbox/faults", json={}).raise_for_status()
    assert ended["status"] == "COMPLETED", ended
    after = seen(agreeing, contract)
    (item,) = found["quote"]["items"]
    assert terms(after)["ANALYTICS"] == (400, item["unitPrice"])
    assert after["mrr"]["amount"] == found["quote"]["mrr"]
    assert in_books(after) - in_books(before) == Decimal(found["quote"]["due"])


async def test_another_list_price_than_was_approved_is_refused(agreeing, contracts, people, stripe):
    ada, bob = people
    contract = taken(contracts, "CORE-SEAT", without="SSO")
    before = seen(agreeing, contract)
    asked = amending(contract, SSO=200)
    found = waiting(agreeing, asked, ada)
    assert found["quote"]["authority"] == "billing"
    currency = found["quote"]["currency"].lower()
    prices = stripe.get("/v1/prices", params={"limit": "100", "active": "true"}).json()["data"]
    (price,) = [
        each
        for each in prices
        if each["metadata"].get("price_reference", "").startswith("SSO-")
        and (each["currency"], each["recurring"]["interval"]) == (currency, "month")
    ]

    def switch(price: str, *, active: bool) -> None:
        stripe.post(f"/v1/prices/{price}", data={"active": str(active).lower()}).raise_for_status()

    made = stripe.post(
        "/v1/prices",
        data={
            "product": price["product"], "currency": currency, "unit_amount": str(price["unit_amount"] + 1000),
            "recurring[interval]": "month", "metadata[price_reference]": price["metadata"]["price_reference"],
        },
    )  # fmt: skip
    switch(price["id"], active=False)
    dearer = format(Decimal(price["unit_amount"] + 1000) / 100, "f")
    try:
        dry = {"input": asked, "dryRun": True}

        def is_dearer() -> bool:
            planned = (agreeing.ask(AMEND, dry)["data"] or {}).get("amendContract") or {"plan": [{"changes": []}]}
            return any(
                each["field"] == "items.SSO.unitPrice" and Decimal(each["to"]) == Decimal(dearer)
                for each in planned["plan"][0]["changes"]
            )

        await agreeing.eventually(is_dearer)
        agreeing.data(DECIDE % "approveWorkflow", {"id": found["id"]}, **bob)
        ended = await settled(agreeing, found["id"])
        assert (ended["status"], ended["error"]) == ("COMPENSATED", {"code": "CONFLICT", "system": "billing"})
        after = seen(agreeing, contract)
        assert (terms(after), after["version"], in_books(after)) == (terms(before), before["version"], in_books(before))
        # Asked for again, the new price is what has to be approved.
        again = waiting(agreeing, asked, ada)
        prices = {each["sku"]: each["unitPrice"] for each in again["quote"]["items"]}
        assert Decimal(prices["SSO"]) == Decimal(dearer)
        agreeing.data(DECIDE % "approveWorkflow", {"id": again["id"]}, **bob)
        assert (await settled(agreeing, again["id"]))["status"] == "COMPLETED"
        assert Decimal(terms(seen(agreeing, contract))["SSO"][1]) == Decimal(dearer)
    finally:
        switch(price["id"], active=True)
        switch(made.json()["id"], active=False)
