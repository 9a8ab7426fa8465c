"""Contracts are renewed, and what they were charged is credited, in all systems or in none."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from contract_stories import DECIDE, key, settled, taken, told, written

_WORKFLOW = """workflow { id kind status error { code message system } customer { id } contract { number }
      steps { name system status attempts error { code } } } plan { step system action changes { field from to } }"""
RENEW = f"""
mutation Renew($input: RenewContractInput!, $dryRun: Boolean! = false) {{
  renewContract(input: $input, dryRun: $dryRun, waitMs: 20000) {{
    {_WORKFLOW} contract {{ number }} invoice {{ id number status issuedOn net {{ amount }} }} }} }}"""
CREDIT = f"""
mutation Credit($input: CreditContractInput!, $dryRun: Boolean! = false) {{
  creditContract(input: $input, dryRun: $dryRun, waitMs: 20000) {{
    {_WORKFLOW} creditMemo {{ number status net {{ amount }} total {{ amount }} }} invoice {{ number }} }} }}"""
SEEN = """
query Seen($id: ID!) { contract(id: $id) {
  id number version startsOn endsOn autoRenews renewalStage mrr { amount } renewal { dueOn }
  invoices(first: 100) { edges { node { id number version status issuedOn net { amount } balance { amount }
    creditMemos(first: 20) { edges { node { number status net { amount } } } }
    billingDocument { status amountDue { amount } } } } }
  customer { openBalance { amount } }
} }
"""


def seen(product, contract: dict[str, Any]) -> dict[str, Any]:
    return product.data(SEEN, {"id": contract["id"]})["contract"]


def invoices(found: dict[str, Any], *statuses: str) -> list[dict[str, Any]]:
    return [edge["node"] for edge in found["invoices"]["edges"] if edge["node"]["status"] in statuses]


def renewable(product, contracts: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Take a contract that has a term and a deal whose renewal is neither won nor lost, of no more than is decided alone."""
    for contract in list(contracts):
        found = seen(product, contract)
        is_small = Decimal(found["mrr"]["amount"]) * 36 < 90_000
        if found["renewal"] and is_small and found["renewalStage"] not in (None, "LOST", "RENEWED", "COMMITTED"):
            contracts.remove(contract)
            return contract, found
    raise LookupError("no contract can be renewed")


async def test_a_renewed_contract_has_another_term_an_order_and_a_won_renewal(agreeing, contracts):
    contract, before = renewable(agreeing, contracts)
    begins = dt.date.fromisoformat(before["endsOn"]) + dt.timedelta(days=1)
    inputs = {"input": {"contractId": contract["id"], "version": before["version"]}}
    planned = agreeing.data(RENEW, {**inputs, "dryRun": True})["renewContract"]
    assert (planned["workflow"], planned["invoice"]) == (None, None)
    assert [(write["step"], write["system"]) for write in planned["plan"]] == [
        ("commit", "crm"), ("renew", "billing"), ("order", "erp"), ("complete", "crm"),
    ]  # fmt: skip
    changes = {change["field"]: change["to"] for write in planned["plan"] for change in write["changes"]}
    assert seen(agreeing, contract) == before
    renewed = agreeing.data(RENEW, inputs, Idempotency_Key=(once := key()))["renewContract"]
    workflow, order = renewed["workflow"], renewed["invoice"]
    assert (workflow["kind"], workflow["status"], workflow["error"]) == ("renewal", "COMPLETED", None)
    assert [(step["name"], step["system"], step["status"]) for step in workflow["steps"]] == [
        ("check", "billing", "DONE"), ("commit", "crm", "DONE"), ("renew", "billing", "DONE"), ("order", "erp", "DONE"),
        ("invoice", "erp", "DONE"), ("revenue", "erp", "DONE"), ("complete", "crm", "DONE"),
    ]  # fmt: skip
    after = seen(agreeing, contract)
    assert (after["endsOn"], after["autoRenews"], after["renewalStage"]) == (
        changes["endsOn"], before["autoRenews"], "RENEWED",
    )  # fmt: skip
    assert dt.date.fromisoformat(after["endsOn"]) > begins
    assert (order["number"], order["status"], order["issuedOn"], order["net"]["amount"]) == (
        None, "DRAFT", begins.isoformat(), changes["net"],
    )  # fmt: skip
    assert [each["id"] for each in invoices(after, "DRAFT")] == [order["id"]]
    agreeing.forget_vendor_requests("crm", "billing", "erp")
    again = agreeing.data(RENEW, inputs, Idempotency_Key=once)["renewContract"]
    assert (again["workflow"], again["invoice"]) == (workflow, order)
    other = agreeing.post(RENEW, {"input": {**inputs["input"], "termMonths": 1}}, Idempotency_Key=once)
    assert (other.status_code, other.json()["errors"][0]["extensions"]["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    stale = agreeing.ask(RENEW, inputs, Idempotency_Key=key())
    assert [error["extensions"]["code"] for error in stale["errors"]] == ["CONFLICT"]
    assert written(agreeing, "crm", "billing", "erp") == {"crm": 0, "billing": 0, "erp": 0}
    number = contract["number"]
    assert await told(agreeing, number, 2, "renewal.stage_changed") == ["concord.renewal.stage_changed.v1"] * 2
    assert await told(agreeing, number, 1, "renewal.completed") == ["concord.renewal.completed.v1"]
    assert await told(agreeing, number, 1, "contract.amended") == ["concord.contract.amended.v1"]
    agreeing.data(DECIDE % "compensateWorkflow", {"id": workflow["id"]})
    assert (await settled(agreeing, workflow["id"]))["status"] == "COMPENSATED"
    undone = seen(agreeing, contract)
    assert {**undone, "invoices": None} == {**before, "invoices": None}
    assert invoices(undone, "DRAFT", "POSTED", "PAID") == invoices(before, "DRAFT", "POSTED", "PAID")


def test_a_renewal_that_the_books_refuse_leaves_the_term_and_the_stage_as_they_were(agreeing, contracts):
    contract, before = renewable(agreeing, contracts)
    inputs = {"input": {"contractId": contract["id"], "version": before["version"], "termMonths": 6}}
    # Creating is Tryton's RPC; everything that is read, and the check of credit, comes by REST.
    agreeing.set_faults("erp", errorRate=1, errorStatus=422, paths=r"/rpc/$")
    try:
        answer = agreeing.ask(RENEW, inputs, Idempotency_Key=key())
    finally:
        agreeing.set_faults("erp")
    workflow = answer["data"]["renewContract"]["workflow"]
    assert (workflow["status"], workflow["error"]["code"], workflow["error"]["system"]) == (
        "COMPENSATED", "SYSTEM_REJECTED", "erp",
    ), workflow  # fmt: skip
    statuses = {step["name"]: step["status"] for step in workflow["steps"]}
    assert (statuses["commit"], statuses["renew"], statuses["complete"]) == ("COMPENSATED", "COMPENSATED", "PENDING")
    assert seen(agreeing, contract) == before


async def test_a_credit_is_a_memo_in_the_books_known_to_billing_and_noted_in_the_crm(agreeing, contracts):
    contract = taken(contracts)
    before = seen(agreeing, contract)
    invoice = invoices(before, "POSTED", "PAID")[0]
    wanted = {"contractId": contract["id"], "invoiceId": invoice["id"], "amount": "12.50", "reason": "Outage in May"}
    planned = agreeing.data(CREDIT, {"input": wanted, "dryRun": True})["creditContract"]["plan"]
    assert {"field": "net", "from": None, "to": "12.50"} in planned[0]["changes"]
    assert seen(agreeing, contract) == before
    credited = agreeing.data(CREDIT, {"input": wanted}, Idempotency_Key=(once := key()))["creditContract"]
    workflow, memo = credited["workflow"], credited["creditMemo"]
    assert (workflow["kind"], workflow["status"]) == ("credit", "COMPLETED")
    assert [(step["name"], step["system"], step["status"]) for step in workflow["steps"]] == [
        ("check", "erp", "DONE"), ("memo", "erp", "DONE"), ("credit", "billing", "DONE"), ("note", "crm", "DONE"),
    ]  # fmt: skip
    assert (memo["status"], memo["net"]["amount"], credited["invoice"]) == (
        "POSTED", "12.50", {"number": invoice["number"]},
    )  # fmt: skip
    after = next(each for each in invoices(seen(agreeing, contract), "POSTED", "PAID") if each["id"] == invoice["id"])
    assert [edge["node"] for edge in after["creditMemos"]["edges"]][-1]["number"] == memo["number"]
    noted = agreeing.data(
        "query($id: ID!) { workflow(id: $id) { evidence { action system answer } } }", {"id": workflow["id"]}
    )["workflow"]["evidence"]
    assert [(entry["action"], entry["system"]) for entry in noted] == [
        ("start credit", "gateway"), ("creditInvoice", "erp"), ("creditDocument", "billing"), ("noteContract", "crm"),
    ]  # fmt: skip
    assert '"creditNote":"cn_' in noted[2]["answer"]
    agreeing.forget_vendor_requests("crm", "billing", "erp")
    again = agreeing.data(CREDIT, {"input": wanted}, Idempotency_Key=once)["creditContract"]
    assert (again["workflow"], again["creditMemo"]) == (workflow, memo)
    other = agreeing.post(CREDIT, {"input": {**wanted, "amount": "12.51"}}, Idempotency_Key=once)
    assert (other.status_code, other.json()["errors"][0]["extensions"]["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert written(agreeing, "crm", "billing", "erp") == {"crm": 0, "billing": 0, "erp": 0}
    assert await told(agreeing, contract["number"], 1, "credit_memo.issued") == ["concord.credit_memo.issued.v1"]
    agreeing.data(DECIDE % "compensateWorkflow", {"id": workflow["id"]})
    assert (await settled(agreeing, workflow["id"]))["status"] == "COMPENSATED"
    undone = seen(agreeing, contract)
    # What was posted stays posted: another invoice charges the same again, and the customer owes what he owed.
    assert undone["customer"] == before["customer"]
    new = [
        each for each in invoices(undone, "POSTED") if each["id"] not in [e["id"] for e in invoices(before, "POSTED")]
    ]
    assert [each["net"]["amount"] for each in new] == ["12.50"]


def test_a_credit_is_refused_for_what_is_not_there_to_be_credited(agreeing, contracts):
    contract = contracts[0]
    before = seen(agreeing, contract)
    invoice = invoices(before, "POSTED", "PAID")[0]
    other = next(each for each in contracts if each["customer"]["id"] != contract["customer"]["id"])
    agreeing.forget_vendor_requests("crm", "billing", "erp")
    wanted = {"contractId": contract["id"], "invoiceId": invoice["id"], "reason": "Goodwill"}
    for changed, code in (
        ({"amount": str(Decimal(invoice["net"]["amount"]) + Decimal("0.01"))}, "CONFLICT"),
        ({"amount": "0"}, "BAD_USER_INPUT"),
        ({"amount": "1.001"}, "BAD_USER_INPUT"),
        ({"amount": "1" + "0" * 30}, "BAD_USER_INPUT"),
        ({"reason": "[x]"}, "BAD_USER_INPUT"),
        ({"invoiceId": None}, "BAD_USER_INPUT"),
        ({"invoiceVersion": "stale"}, "CONFLICT"),
        ({"contractId": other["id"]}, "CONFLICT"),
        ({"invoiceId": None, "amount": "99999999"}, "CONFLICT"),
        ({"invoiceId": contract["id"]}, "BAD_USER_INPUT"),
    ):
        answer = agreeing.ask(CREDIT, {"input": {**wanted, **changed}, "dryRun": True})
        assert [error["extensions"]["code"] for error in answer["errors"]] == [code], (changed, answer)
    assert written(agreeing, "crm", "billing", "erp") == {"crm": 0, "billing": 0, "erp": 0}
    assert seen(agreeing, contract) == before


async def test_a_credit_that_billing_refuses_is_taken_back_in_the_books(agreeing, contracts):
    contract = taken(contracts)
    before = seen(agreeing, contract)
    agreeing.set_faults("billing", errorRate=1, errorStatus=400, paths=r"/v1/credit_notes")
    try:
        inputs = {"contractId": contract["id"], "amount": "3.00", "reason": "Goodwill"}
        answer = agreeing.ask(CREDIT, {"input": inputs}, Idempotency_Key=key())
    finally:
        agreeing.set_faults("billing")
    workflow = answer["data"]["creditContract"]["workflow"]
    # Billing is asked what an earlier try did, and refuses that as well: somebody has to look, and then it goes on.
    assert workflow["status"] == "NEEDS_ATTENTION", workflow
    agreeing.data(DECIDE % "retryWorkflow", {"id": workflow["id"]})
    assert (await settled(agreeing, workflow["id"]))["status"] == "COMPENSATED"
    assert seen(agreeing, contract)["customer"] == before["customer"]
