"""A won opportunity goes through all systems or leaves nothing in any; whoever asks sees where it stands."""

from __future__ import annotations

import base64
import json
import os
import signal
import sqlite3
import time
import uuid
from pathlib import Path
from typing import Any

import httpx2
import pytest
from running_processes import process_of

from gateway.events.catalogue import MINOR

ROOT = Path(__file__).parents[2]
CLOSE = """
mutation Close($input: CloseOpportunityInput!, $dryRun: Boolean! = false, $waitMs: Int! = 20000) {
  closeOpportunity(input: $input, dryRun: $dryRun, waitMs: $waitMs) {
    workflow { ...Whole }
    plan { step system action changes { field from to } }
    contract { number status opportunity { stage } recognizedToDate { amount } deferredBalance { amount } }
    invoice { number status net { amount } total { amount } billingNumber: number }
  }
}
fragment Whole on Workflow {
  id kind status error { code message system } customer { id } contract { number status } requestedBy
  steps { name system status attempts error { code system } compensated }
}
"""
LOOK = """
query Look($id: ID!, $opportunity: ID!) {
  workflow(id: $id) { status steps { name status compensated } evidence { actor action system } }
  opportunity: node(id: $opportunity) { ... on Opportunity {
    stage contract { number } customer { status contracts(first: 50) { edges { node { number status } } } }
  } }
}
"""
STEPS = (
    ("check", "crm"), ("win", "crm"), ("customer in the ERP", "erp"), ("customer in billing", "billing"),
    ("contract", "billing"), ("order", "erp"), ("invoice", "erp"), ("document", "billing"), ("revenue", "erp"),
    ("tell", "crm"),
)  # fmt: skip
OPEN = """{ opportunities(first: 100, filter: { stage: [QUALIFICATION, DISCOVERY, PROPOSAL, NEGOTIATION] }) {
  edges { node { id version stage amount { amount currency } contract { number } customer { id status creditHold } } } } }"""


@pytest.fixture(scope="module")
def selling(tmp_path_factory: pytest.TempPathFactory, start_product):
    """A product of its own, whose ERP is looked at often."""
    with start_product(tmp_path_factory.mktemp("selling-product"), 40, CONCORD_ERP_POLL_INTERVAL_S="1") as running:
        yield running


@pytest.fixture(scope="module")
def opportunities(selling) -> list[dict[str, Any]]:
    """Open opportunities without a contract, each to be used by one test."""
    found = [edge["node"] for edge in selling.data(OPEN)["opportunities"]["edges"]]
    return [
        each
        for each in found
        if each["contract"] is None and each["customer"] and each["customer"]["creditHold"] is False and each["amount"]
    ]


@pytest.fixture
def opportunity(opportunities) -> dict[str, Any]:
    return opportunities.pop()


def closing(opportunity: dict[str, Any], sku: str = "CORE-SEAT", quantity: int = 10) -> dict[str, Any]:
    items = [{"sku": sku, "quantity": quantity}]
    return {"opportunityId": opportunity["id"], "version": opportunity["version"], "items": items}


def key() -> str:
    return str(uuid.uuid4())


def statuses(workflow: dict[str, Any]) -> dict[str, str]:
    return {step["name"]: step["status"] for step in workflow["steps"]}


async def settled(product, workflow: str) -> dict[str, Any]:
    """The workflow once it moves no more."""
    query = (
        "query($id: ID!) { workflow(id: $id) { status owner error { code system } steps { name status attempts } } }"
    )

    def look() -> dict[str, Any] | None:
        found = product.data(query, {"id": workflow})["workflow"]
        return None if found["status"] in ("RUNNING", "COMPENSATING") else found

    return await product.eventually(look, within_s=90)


def told_of(product, workflow: dict[str, Any]) -> list[str]:
    """The types of the events about a workflow, in order, once its end is told."""
    # Only these: hundreds of other events may come between two of them, while systems tell what they hold.
    kinds = [f"concord.workflow.{name}.v1" for name in ("started", "step_failed", "completed", "compensated")]
    query = (
        "query($t: [String!]) { events(last: 200, filter: { types: $t }) { edges { node { type workflow { id } } } } }"
    )
    deadline = time.monotonic() + 60
    while True:
        nodes = [edge["node"] for edge in product.data(query, {"t": kinds})["events"]["edges"]]
        found = [node["type"] for node in nodes if node["workflow"] == {"id": workflow["id"]}]
        if found and found[-1] in ("concord.workflow.completed.v1", "concord.workflow.compensated.v1"):
            return [name.removeprefix("concord.").removesuffix(".v1") for name in found]
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def test_a_won_opportunity_becomes_contract_invoice_and_revenue_once(selling, opportunity):
    inputs, once = closing(opportunity), key()
    answer = selling.ask(CLOSE, {"input": inputs}, Idempotency_Key=once)
    assert "errors" not in answer, answer
    closed = answer["data"]["closeOpportunity"]
    workflow = closed["workflow"]
    assert (workflow["kind"], workflow["status"], workflow["error"]) == ("quote-to-cash", "COMPLETED", None)
    assert [(step["name"], step["system"]) for step in workflow["steps"]] == list(STEPS)
    assert [(s["status"], s["attempts"], s["compensated"]) for s in workflow["steps"]] == [("DONE", 1, False)] * 10
    assert workflow["customer"] == {"id": opportunity["customer"]["id"]}
    contract = closed["contract"]
    assert workflow["contract"] == {"number": contract["number"], "status": "ACTIVE"}
    assert contract["opportunity"] == {"stage": "WON"}
    assert told_of(selling, workflow) == ["workflow.started", "workflow.completed"]
    invoice = closed["invoice"]
    assert invoice["status"] == "POSTED"
    booked = sum(float(contract[name]["amount"]) for name in ("recognizedToDate", "deferredBalance"))
    assert round(booked, 2) == float(invoice["net"]["amount"]) > 0
    # The same key again: the same workflow, and nothing is written.
    selling.forget_vendor_requests("crm", "billing", "erp")
    again = selling.ask(CLOSE, {"input": inputs}, Idempotency_Key=once)
    assert again["data"]["closeOpportunity"]["workflow"] == workflow
    assert again["data"]["closeOpportunity"]["invoice"] == invoice
    other = selling.post(CLOSE, {"input": closing(opportunity, quantity=11)}, Idempotency_Key=once)
    assert (other.status_code, other.json()["errors"][0]["extensions"]["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    # Another key is another workflow, which finds that the opportunity has led to a contract.
    third = selling.ask(CLOSE, {"input": inputs}, Idempotency_Key=key())
    refused = third["data"]["closeOpportunity"]["workflow"]
    assert (refused["status"], refused["error"]["code"]) == ("COMPENSATED", "CONFLICT")


def test_what_is_refused_half_way_is_undone_and_says_so(selling, opportunity):
    answer = selling.ask(CLOSE, {"input": closing(opportunity, sku="NO-SUCH-SKU")}, Idempotency_Key=key())
    closed = answer["data"]["closeOpportunity"]
    workflow = closed["workflow"]
    assert (closed["contract"], closed["invoice"]) == (None, None)
    assert [
        (e["path"], e["extensions"]["code"], e["extensions"]["outcome"], e["extensions"]["workflow"])
        for e in answer["errors"]
    ] == [
        (["closeOpportunity", name], "SAGA_COMPENSATED", "COMPENSATED", workflow["id"])
        for name in ("contract", "invoice")
    ]
    assert workflow["status"] == "COMPENSATED"
    assert (workflow["error"]["code"], workflow["error"]["system"]) == ("BAD_USER_INPUT", "billing")
    assert statuses(workflow) == dict.fromkeys(("win", "customer in the ERP", "customer in billing", "contract"), "COMPENSATED") | {
        "check": "DONE",
        **dict.fromkeys(("order", "invoice", "document", "revenue", "tell"), "PENDING"),
    }  # fmt: skip
    assert told_of(selling, workflow) == ["workflow.started", "workflow.step_failed", "workflow.compensated"]
    seen = selling.data(LOOK, {"id": workflow["id"], "opportunity": opportunity["id"]})
    assert seen["opportunity"]["stage"] == opportunity["stage"]
    assert seen["opportunity"]["contract"] is None
    assert [entry["action"] for entry in seen["workflow"]["evidence"]] == [
        "start quote-to-cash", "winOpportunity", "ensureParty", "ensureBillingCustomer", "activateContract",
        "undoContract", "undoBillingCustomer", "undoParty", "undoWin",
    ]  # fmt: skip


async def test_a_completed_workflow_can_be_taken_back_and_leaves_nothing(selling, opportunity):
    closed = selling.data(CLOSE, {"input": closing(opportunity)}, Idempotency_Key=key())["closeOpportunity"]
    workflow, number = closed["workflow"]["id"], closed["contract"]["number"]
    decide = "mutation($id: ID!) { compensateWorkflow(id: $id) { workflow { status } } }"
    assert selling.data(decide, {"id": workflow})["compensateWorkflow"]["workflow"]["status"] == "COMPENSATING"
    assert (await settled(selling, workflow))["status"] == "COMPENSATED"
    seen = selling.data(LOOK, {"id": workflow, "opportunity": opportunity["id"]})
    assert (seen["opportunity"]["stage"], seen["opportunity"]["contract"]) == (opportunity["stage"], None)
    assert seen["opportunity"]["customer"]["status"] == opportunity["customer"]["status"]
    contracts = {
        e["node"]["number"]: e["node"]["status"] for e in seen["opportunity"]["customer"]["contracts"]["edges"]
    }
    assert contracts[number] == "CANCELLED"
    invoices = selling.data(
        "query($n: String!) { invoices(filter: { contractNumber: $n }, first: 5) { edges { node { status balance { amount } } } } }",
        {"n": number},
    )["invoices"]["edges"]
    assert [(edge["node"]["status"], float(edge["node"]["balance"]["amount"])) for edge in invoices] == [("VOIDED", 0)]
    again = selling.ask(decide, {"id": workflow})
    assert again["errors"][0]["extensions"]["code"] == "CONFLICT"


def test_workflows_are_paged_from_either_end(selling):
    query = """query($first: Int, $last: Int, $after: String, $before: String) {
      workflows(first: $first, last: $last, after: $after, before: $before) {
        edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage } } }"""

    def page(**window: Any) -> tuple[list[str], list[str], bool, bool]:
        found = selling.data(query, window)["workflows"]
        edges, info = found["edges"], found["pageInfo"]
        ids = [edge["node"]["id"] for edge in edges]
        return ids, [edge["cursor"] for edge in edges], info["hasPreviousPage"], info["hasNextPage"]

    sync = "mutation($input: SyncCustomerInput!) { syncCustomer(input: $input, waitMs: 20000) { workflow { status } } }"
    customer = selling.data("{ customers(first: 1) { edges { node { id } } } }")["customers"]["edges"][0]["node"]["id"]
    for _ in range(3):
        begun = selling.data(sync, {"input": {"customerId": customer}}, Idempotency_Key=uuid.uuid4().hex)[
            "syncCustomer"
        ]
        assert begun["workflow"]["status"] == "COMPLETED"
    whole, cursors, *_ = page(first=200)
    assert len(whole) > 2
    ids, ends, has_previous, has_next = page(last=2)
    assert (ids, has_previous, has_next) == (whole[-2:], True, False)
    ids, _, has_previous, has_next = page(last=200, before=ends[0])
    assert (ids, has_previous, has_next) == (whole[:-2], False, True)
    assert page(first=1, after=cursors[0], before=cursors[2])[0] == [whole[1]]
    of_another_list = base64.urlsafe_b64encode(b"drift 1767225600.0 x").decode().rstrip("=")
    without_time = base64.urlsafe_b64encode(b"workflows nan x").decode().rstrip("=")
    for wrong in ({"first": 1, "last": 1}, {"after": of_another_list}, {"after": without_time}, {"after": "rubbish"}):
        answer = selling.ask(query, wrong)
        assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


def test_a_dry_run_tells_what_would_be_written_and_writes_nothing(selling, opportunity):
    before = selling.data("{ workflows { totalCount } }")
    selling.forget_vendor_requests("crm", "billing", "erp")
    closed = selling.data(CLOSE, {"input": closing(opportunity), "dryRun": True})["closeOpportunity"]
    assert (closed["workflow"], closed["contract"], closed["invoice"]) == (None, None, None)
    assert [(write["step"], write["system"]) for write in closed["plan"]] == list(STEPS[1:])
    assert closed["plan"][0]["changes"] == [{"field": "stage", "from": opportunity["stage"], "to": "WON"}]
    assert selling.data("{ workflows { totalCount } }") == before
    stale = selling.ask(CLOSE, {"input": {**closing(opportunity), "version": "1"}, "dryRun": True})
    assert (stale["errors"][0]["extensions"]["code"], stale["data"]) == ("CONFLICT", {"closeOpportunity": None})
    assert opportunity["version"] in stale["errors"][0]["message"]


async def test_a_system_that_is_down_is_waited_for_and_the_caller_has_a_handle(selling, opportunity):
    selling.set_faults("erp", mode="down")
    try:
        inputs = {"input": closing(opportunity), "waitMs": 300}
        answer = selling.ask(CLOSE, inputs, Idempotency_Key=(once := key()))
        workflow = answer["data"]["closeOpportunity"]["workflow"]
        assert workflow["status"] == "RUNNING"
        assert {(e["extensions"]["code"], e["extensions"]["outcome"], e["extensions"]["retryable"], e["extensions"]["workflow"]) for e in answer["errors"]} == {
            ("SAGA_IN_PROGRESS", "IN_PROGRESS", True, workflow["id"])
        }  # fmt: skip
        query = "query($id: ID!) { workflow(id: $id) { steps { name status attempts error { code } } } }"

        def retried() -> bool:
            steps = selling.data(query, {"id": workflow["id"]})["workflow"]["steps"]
            return any(step["attempts"] > 1 and step["error"] for step in steps)

        await selling.eventually(retried, within_s=60)
    finally:
        selling.set_faults("erp")
    assert (await settled(selling, workflow["id"]))["status"] == "COMPLETED"
    again = selling.data(CLOSE, inputs, Idempotency_Key=once)["closeOpportunity"]
    assert again["workflow"]["id"] == workflow["id"]
    assert again["contract"]["status"] == "ACTIVE"


async def test_a_killed_gateway_resumes_what_it_had_begun(tmp_path, start_product):
    with start_product(tmp_path, 40, CONCORD_ERP_POLL_INTERVAL_S="1", CONCORD_WORKFLOWS__LEASE_S="2") as product:
        found = [edge["node"] for edge in product.data(OPEN)["opportunities"]["edges"]]
        opportunity = next(
            o for o in found if o["contract"] is None and o["customer"] and o["customer"]["creditHold"] is False
        )
        product.set_faults("erp", latencyMs=400)
        inputs = {"input": closing(opportunity), "waitMs": 0}
        workflow = product.ask(CLOSE, inputs, Idempotency_Key=(once := key()))["data"]["closeOpportunity"]["workflow"]
        query = "query($id: ID!) { workflow(id: $id) { steps { name status } } }"

        def under_way() -> bool:
            steps = statuses(product.data(query, {"id": workflow["id"]})["workflow"])
            return steps["customer in the ERP"] == "DONE"

        await product.eventually(under_way, within_s=60)
        os.kill(process_of("gateway.cli.worker", f"CONCORD_GATEWAY_URL={product.url}"), signal.SIGKILL)
        product.set_faults("erp")
        await product.eventually(lambda: is_up(product), within_s=60)
        assert (await settled(product, workflow["id"]))["status"] == "COMPLETED"
        again = product.data(CLOSE, inputs, Idempotency_Key=once)["closeOpportunity"]
        assert again["workflow"]["id"] == workflow["id"]
        number = again["contract"]["number"]
        invoices = product.data(
            "query($n: String!) { invoices(filter: { contractNumber: $n }, first: 5) { edges { node { status } } } }",
            {"n": number},
        )["invoices"]["edges"]
        assert [edge["node"]["status"] for edge in invoices] == ["POSTED"]


def is_up(product) -> bool:
    try:
        return "data" in product.ask("{ __typename }")
    except httpx2.TransportError:
        return False


def test_the_terminal_lists_shows_decides_and_checks_the_record(selling, opportunity):
    closed = selling.ask(CLOSE, {"input": closing(opportunity, sku="NO-SUCH-SKU")}, Idempotency_Key=key())
    workflow = closed["data"]["closeOpportunity"]["workflow"]["id"]
    listed = selling.run("workflows", "--status", "COMPENSATED", "--json")
    assert listed.returncode == 0, listed.stderr
    assert workflow in [each["id"] for each in json.loads(listed.stdout)]
    lines = selling.run("workflows").stdout.splitlines()
    place = next(number for number, line in enumerate(lines) if workflow in line)
    # Readable in 80 columns, the id whole.
    assert (max(map(len, lines)) <= 80, "quote-to-cash COMPENSATED" in lines[place]) == (True, True)
    shown = selling.run("workflows", "show", workflow)
    assert "COMPENSATED" in shown.stdout
    assert "BAD_USER_INPUT" in shown.stdout
    refused = selling.run("workflows", "compensate", workflow)
    assert (refused.returncode, "CONFLICT" in refused.stderr) == (1, True)
    recorded = selling.run("workflows", "evidence", workflow, "--json").stdout.splitlines()
    assert [json.loads(line)["action"] for line in recorded][-1] == "undoWin"
    checked = json.loads(selling.run("workflows", "evidence", "--verify", "--json").stdout)
    assert checked["entries"] >= len(recorded)
    assert checked["brokenAt"] is None


def test_every_event_of_every_system_names_the_current_version_of_its_contract(selling):
    secret = json.loads((selling.state / "secrets.json").read_text())["internal"]
    head = {"authorization": f"Bearer {secret}"}
    missing = {f"concord/{system}" for system in ("gateway", "crm", "billing", "identity")}
    with selling.client.stream("GET", f"{selling.url}/events/feed?after=beginning", headers=head) as feed:
        assert feed.status_code == 200
        for line in filter(None, feed.iter_lines()):
            event = json.loads(line)
            name = event["type"].removeprefix("concord.").removesuffix(".v1")
            contract = json.loads((ROOT / f"schema/events/{event['type']}.json").read_text())
            assert event["dataschema"] == contract["$id"] == f"urn:concord:event:{name}:1.{MINOR}"
            missing.discard(event["source"])
            if not missing:
                break


def test_an_entry_that_was_changed_is_found(selling):
    records = sqlite3.connect(selling.state / "gateway" / "workflow-records.sqlite", timeout=30)
    (sequence, answer) = records.execute(
        "SELECT seq, answer FROM concord_workflow_evidence ORDER BY seq LIMIT 1"
    ).fetchone()
    for text, broken in (('{"forged": true}', sequence), (answer, None)):
        records.execute("UPDATE concord_workflow_evidence SET answer = ? WHERE seq = ?", (text, sequence))
        records.commit()
        checked = selling.run("workflows", "evidence", "--verify", "--json")
        assert (json.loads(checked.stdout)["brokenAt"], checked.returncode) == (broken, 0 if broken is None else 1)
    records.close()
