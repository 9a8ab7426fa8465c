"""The order of a renewal that is made ahead ends in the books as every other: on the new term's first day, or cancelled."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from contract_stories import DECIDE, ended_on_its_day, in_books, key, quantity, settled
from contract_stories import seen as books_of
from test_contract_terms import RENEW, invoices, renewable, seen
from test_contract_workflows import AMEND, amending

POSTINGS = """query($c: String!) { workflows(first: 10, filter: { kinds: ["renewal-posting"], contract: $c }) { edges { node {
  id kind status effectiveOn steps { name status } } } } }"""


def renewed(agreeing, contract: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    inputs = {"contractId": contract["id"], "version": before["version"]}
    found = agreeing.data(RENEW, {"input": inputs}, Idempotency_Key=key())["renewContract"]
    assert (found["workflow"]["status"], found["invoice"]["status"]) == ("COMPLETED", "DRAFT"), found
    return found


def posting_of(agreeing, contract: dict[str, Any]) -> dict[str, Any]:
    edges = agreeing.data(POSTINGS, {"c": contract["number"]})["workflows"]["edges"]
    (found,) = (edge["node"] for edge in edges)
    return found


async def test_the_order_is_posted_on_the_term_s_first_day(agreeing, contracts):
    contract, before = renewable(agreeing, contracts)
    begins = dt.date.fromisoformat(before["endsOn"]) + dt.timedelta(days=1)
    earned = in_books(books_of(agreeing, contract))
    renewal = renewed(agreeing, contract, before)
    waits = posting_of(agreeing, contract)
    assert (waits["status"], waits["effectiveOn"]) == ("SCHEDULED", begins.isoformat())
    assert {step["status"] for step in waits["steps"]} == {"PENDING"}
    assert in_books(books_of(agreeing, contract)) == earned
    done = await ended_on_its_day(agreeing, waits["id"])
    assert (done["status"], done["error"]) == ("COMPLETED", None)
    assert [(step["name"], step["status"]) for step in done["steps"]] == [
        ("check", "DONE"), ("invoice", "DONE"), ("revenue", "DONE"),
    ]  # fmt: skip
    after = seen(agreeing, contract)
    (posted,) = (each for each in invoices(after, "POSTED") if each["id"] == renewal["invoice"]["id"])
    net = Decimal(renewal["invoice"]["net"]["amount"])
    assert (posted["number"] is not None, posted["issuedOn"], Decimal(posted["net"]["amount"])) == (
        True, begins.isoformat(), net,
    )  # fmt: skip
    assert invoices(after, "DRAFT") == []
    assert in_books(books_of(agreeing, contract)) - earned == net
    # The renewal can still be taken back, with what followed it.
    agreeing.data(DECIDE % "compensateWorkflow", {"id": renewal["workflow"]["id"]})
    assert (await settled(agreeing, renewal["workflow"]["id"]))["status"] == "COMPENSATED"
    undone = seen(agreeing, contract)
    assert (undone["endsOn"], undone["renewalStage"]) == (before["endsOn"], before["renewalStage"])
    assert invoices(undone, "DRAFT", "POSTED", "PAID") == invoices(before, "DRAFT", "POSTED", "PAID")
    assert in_books(books_of(agreeing, contract)) == earned


async def test_the_order_of_a_renewal_that_was_taken_back_is_not_posted(agreeing, contracts):
    contract, before = renewable(agreeing, contracts)
    renewal = renewed(agreeing, contract, before)
    agreeing.data(DECIDE % "compensateWorkflow", {"id": renewal["workflow"]["id"]})
    assert (await settled(agreeing, renewal["workflow"]["id"]))["status"] == "COMPENSATED"
    done = await ended_on_its_day(agreeing, posting_of(agreeing, contract)["id"])
    assert (done["status"], done["error"]) == ("COMPLETED", None)
    after = seen(agreeing, contract)
    assert invoices(after, "DRAFT", "POSTED", "PAID") == invoices(before, "DRAFT", "POSTED", "PAID")


async def test_the_order_of_a_contract_that_ends_with_its_old_term_is_cancelled(agreeing, contracts):
    contract, before = renewable(agreeing, contracts)
    renewed(agreeing, contract, before)
    cancel = (
        "mutation($input: ScheduleCancellationInput!) { scheduleCancellation(input: $input) { contract { number } } }"
    )
    day = (dt.date.fromisoformat(before["endsOn"]) + dt.timedelta(days=1)).isoformat()
    given = {"contractId": contract["id"], "version": seen(agreeing, contract)["version"], "effectiveOn": day}
    agreeing.data(cancel, {"input": given}, Idempotency_Key=key())
    assert (await ended_on_its_day(agreeing, posting_of(agreeing, contract)["id"]))["status"] == "COMPLETED"
    after = seen(agreeing, contract)
    assert invoices(after, "DRAFT", "POSTED", "PAID") == invoices(before, "DRAFT", "POSTED", "PAID")


async def test_an_order_that_is_not_what_the_cycle_comes_to_waits_for_a_person(agreeing, contracts):
    for _ in range(len(contracts)):
        contract, before = renewable(agreeing, contracts)
        if any(item["product"]["sku"] == "CORE-SEAT" and item["quantity"] for item in contract["items"]):
            break
    renewal = renewed(agreeing, contract, before)
    changed = {**contract, "version": seen(agreeing, contract)["version"]}
    wanted = amending(changed, CORE_SEAT=quantity(contract, "CORE-SEAT") + 1)
    amended = agreeing.data(AMEND, {"input": wanted}, Idempotency_Key=key())["amendContract"]
    assert (await settled(agreeing, amended["workflow"]["id"]))["status"] == "COMPLETED"
    stopped = await ended_on_its_day(agreeing, posting_of(agreeing, contract)["id"])
    assert (stopped["status"], stopped["error"]) == ("NEEDS_ATTENTION", {"code": "CONFLICT", "system": "billing"})
    assert stopped["owner"]
    assert [each["id"] for each in invoices(seen(agreeing, contract), "DRAFT")] == [renewal["invoice"]["id"]]
