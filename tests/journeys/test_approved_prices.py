"""What somebody approved is carried out at the price that was approved, or not at all."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from contract_stories import DECIDE, ended_on_its_day, in_books, key, seen, settled, taken, terms
from test_contract_workflows import AMEND, amending
from test_workflows import CLOSE, closing

EVIDENCE = "query($id: ID!) { workflow(id: $id) { evidence { step system action answer } } }"
STAGE = """query($id: ID!) { node(id: $id) { ... on Opportunity {
  stage version contract { items { quantity price { unitAmount { amount } } } } } } }"""
LINES = """query($n: String!) { invoices(filter: { contractNumber: $n }, first: 5) { edges { node {
  status net { amount } lines(first: 5) { edges { node { quantity unitPrice } } } } } } }"""
SCOPES = (
    "contracts:read", "contracts:write", "operations:read", "operations:write", "invoices:read", "customers:read",
    "pipeline:read", "pipeline:write",
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


@contextmanager
def listed(stripe, sku: str, currency: str, minor_units: str) -> Iterator[Decimal]:
    """Another list price of a product a month, in place of the one it has; gives it in major units."""
    prices = stripe.get("/v1/prices", params={"limit": "100", "active": "true"}).json()["data"]
    (known,) = [
        each
        for each in prices
        if each["metadata"].get("price_reference", "").startswith(f"{sku}-")
        and (each["currency"], each["recurring"]["interval"]) == (currency.lower(), "month")
    ]

    def switch(price: str, *, active: bool) -> None:
        stripe.post(f"/v1/prices/{price}", data={"active": str(active).lower()}).raise_for_status()

    made = stripe.post(
        "/v1/prices",
        data={
            "product": known["product"], "currency": known["currency"], "unit_amount_decimal": minor_units,
            "recurring[interval]": "month", "metadata[price_reference]": known["metadata"]["price_reference"],
        },
    )  # fmt: skip
    switch(known["id"], active=False)
    try:
        yield Decimal(made.raise_for_status().json()["unit_amount_decimal"]) / 100
    finally:
        switch(known["id"], active=True)
        switch(made.json()["id"], active=False)


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
    (price,) = [Decimal(each["unitPrice"]) for each in found["quote"]["items"] if each["sku"] == "SSO"]
    with listed(stripe, "SSO", found["quote"]["currency"], str(price * 100 + 1000)) as dearer:
        dry = {"input": asked, "dryRun": True}

        def is_dearer() -> bool:
            planned = (agreeing.ask(AMEND, dry)["data"] or {}).get("amendContract") or {"plan": [{"changes": []}]}
            return any(
                each["field"] == "items.SSO.unitPrice" and Decimal(each["to"]) == dearer
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
        assert Decimal(prices["SSO"]) == dearer
        agreeing.data(DECIDE % "approveWorkflow", {"id": again["id"]}, **bob)
        assert (await settled(agreeing, again["id"]))["status"] == "COMPLETED"
        assert Decimal(terms(seen(agreeing, contract))["SSO"][1]) == dearer


async def priced(agreeing, asked: dict[str, Any], sku: str, price: Decimal) -> None:
    """Wait until billing has heard of a list price."""

    def is_known() -> bool:
        planned = (agreeing.ask(CLOSE, {"input": asked, "dryRun": True})["data"] or {}).get("closeOpportunity")
        return planned is not None and any(
            change["field"] == f"items.{sku}.unitPrice" and Decimal(change["to"]) == price
            for write in planned["plan"]
            for change in write["changes"]
        )

    await agreeing.eventually(is_known)


def waiting_deal(agreeing, asked: dict[str, Any], who: dict[str, str]) -> dict[str, Any]:
    """The closing that waits for approval, with the quote that stands in its evidence."""
    answer = agreeing.ask(CLOSE, {"input": asked, "waitMs": 0}, Idempotency_Key=key(), **who)
    workflow = answer["data"]["closeOpportunity"]["workflow"]
    assert workflow["status"] == "WAITING_APPROVAL", answer
    evidence = agreeing.data(EVIDENCE, {"id": workflow["id"]})["workflow"]["evidence"]
    (quote,) = [json.loads(each["answer"]) for each in evidence if each["action"] == "contractQuote"]
    return {**workflow, "quote": quote}


async def test_what_a_small_deal_really_comes_to_is_what_has_to_be_approved(agreeing, deals, people, stripe):
    ada, bob = people
    deal = deals.pop()
    assert Decimal(deal["amount"]["amount"]) < 90_000
    asked = closing(deal, sku="PLATFORM", quantity=1_000)
    found = waiting_deal(agreeing, asked, ada)
    quote = found["quote"]
    assert Decimal(quote["totalValue"]) == 12 * Decimal(quote["mrr"]) > 90_000
    (item,) = quote["items"]
    price = Decimal(item["unitPrice"])
    assert (item["sku"], Decimal(quote["due"])) == ("PLATFORM", 1_000 * price)
    with listed(stripe, "PLATFORM", quote["currency"], str(price * 100 + 100)) as dearer:
        await priced(agreeing, asked, "PLATFORM", dearer)
        agreeing.data(DECIDE % "approveWorkflow", {"id": found["id"]}, **bob)
        ended = await settled(agreeing, found["id"])
        assert (ended["status"], ended["error"]) == ("COMPENSATED", {"code": "CONFLICT", "system": "billing"})
        assert {step["name"]: step["status"] for step in ended["steps"]}["contract"] == "COMPENSATED"
        stage = agreeing.data(STAGE, {"id": deal["id"]})["node"]
        assert (stage["stage"], stage["contract"]) == (deal["stage"], None)
        again = waiting_deal(agreeing, {**asked, "version": stage["version"]}, ada)
        assert Decimal(again["quote"]["items"][0]["unitPrice"]) == dearer
        agreeing.data(DECIDE % "approveWorkflow", {"id": again["id"]}, **bob)
        assert (await settled(agreeing, again["id"]))["status"] == "COMPLETED"
        sold = agreeing.data(STAGE, {"id": deal["id"]})["node"]["contract"]
        assert [(each["quantity"], Decimal(each["price"]["unitAmount"]["amount"])) for each in sold["items"]] == [
            (1_000, dearer)
        ]


async def test_what_begins_later_begins_at_the_price_that_was_approved_or_not_at_all(agreeing, deals, people, stripe):
    ada, bob = people
    deal = deals.pop()
    first_day = (dt.datetime.now(dt.UTC).date() + dt.timedelta(days=60)).isoformat()
    asked = {**closing(deal, sku="PLATFORM", quantity=1_000), "startsOn": first_day}

    async def approved() -> dict[str, Any]:
        found = waiting_deal(agreeing, asked, ada)
        agreed = agreeing.data(DECIDE % "approveWorkflow", {"id": found["id"]}, **bob)
        assert agreed["approveWorkflow"]["workflow"] == {"status": "SCHEDULED"}
        return found

    found = await approved()
    (item,) = found["quote"]["items"]
    price = Decimal(item["unitPrice"])
    with listed(stripe, "PLATFORM", found["quote"]["currency"], str(price * 100 + 100)) as dearer:
        await priced(agreeing, asked, "PLATFORM", dearer)
        ended = await ended_on_its_day(agreeing, found["id"])
        assert (ended["status"], ended["error"]) == ("COMPENSATED", {"code": "CONFLICT", "system": "billing"})
        stage = agreeing.data(STAGE, {"id": deal["id"]})["node"]
        assert (stage["stage"], stage["contract"]) == (deal["stage"], None)
        asked["version"] = stage["version"]
    await priced(agreeing, asked, "PLATFORM", price)
    again = await approved()
    assert (await ended_on_its_day(agreeing, again["id"]))["status"] == "COMPLETED"
    sold = agreeing.data(STAGE, {"id": deal["id"]})["node"]["contract"]
    assert [(each["quantity"], Decimal(each["price"]["unitAmount"]["amount"])) for each in sold["items"]] == [
        (1_000, price)
    ]


async def test_an_amount_that_no_price_of_a_unit_gives_is_posted_whole(agreeing, deals, stripe):
    deal = deals.pop()
    asked = closing(deal, quantity=3)
    currency = deal["amount"]["currency"]
    for minor_units, net, lines in (("333.6667", "10.01", ("1", "10.01")), ("334", "10.02", ("3", "3.34"))):
        with listed(stripe, "CORE-SEAT", currency, minor_units) as price:
            await priced(agreeing, asked, "CORE-SEAT", price)
            closed = agreeing.data(CLOSE, {"input": asked}, Idempotency_Key=key())["closeOpportunity"]
            posted = agreeing.data(LINES, {"n": closed["contract"]["number"]})["invoices"]["edges"]
            (invoice,) = (edge["node"] for edge in posted)
            assert (invoice["status"], Decimal(invoice["net"]["amount"])) == ("POSTED", Decimal(net))
            (line,) = (edge["node"] for edge in invoice["lines"]["edges"])
            assert (Decimal(line["quantity"]), Decimal(line["unitPrice"])) == tuple(map(Decimal, lines))
            agreeing.data(DECIDE % "compensateWorkflow", {"id": closed["workflow"]["id"]})
            assert (await settled(agreeing, closed["workflow"]["id"]))["status"] == "COMPENSATED"
            asked["version"] = agreeing.data(STAGE, {"id": deal["id"]})["node"]["version"]
