"""Owners and copies are compared: what differs is named, pushed, accepted or mended; what can't be asked is no drift."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from typing import Any

import httpx2
import pytest

from subgraphs.kit.company.generate import generate
from subgraphs.kit.company.model import Company, Source

CUSTOMERS = 40
DRIFT = """id kind field owner system ownerValue copyValue difference currency status reason acceptedBy mendedBy
  customer { id name } contract { number } workflow { status }"""
RUN = """mutation Run($input: RunReconciliationInput!) { runReconciliation(input: $input, waitMs: 25000) { run {
  id status kinds customer { id } scheduled total compared differing opened resolved unreachable { system code subjects } } } }"""
LIST = f"query List($filter: DriftFilter) {{ drifts(filter: $filter, first: 200) {{ totalCount edges {{ node {{ {DRIFT} }} }} }} }}"
OF = f"query Of($id: ID!) {{ customer(id: $id) {{ name legalName drift {{ {DRIFT} }} contracts(first: 5) {{ edges {{ node {{ number drift {{ field }} }} }} }} }} }}"
TOLD = """query Told($filter: LifecycleEventFilter) { events(filter: $filter, last: 200) { edges { node {
  type subject changes { field from to } customer { id } } } } }"""
CUSTOMER = """{ customers(first: 40) { edges { node {
  id name status identities { system externalId } billingRecord { name } erpRecord { name } drift { id } } } } }"""


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory, start_product):
    """A product of its own, compared once."""
    with start_product(tmp_path_factory.mktemp("copies"), CUSTOMERS, CONCORD_ERP_POLL_INTERVAL_S="1") as running:
        running.run_found = run(running)
        yield running


@pytest.fixture(scope="module")
def company() -> Company:
    """What the sandboxes were filled with."""
    return generate(7, CUSTOMERS, dt.datetime.now(dt.UTC).date())


@pytest.fixture(scope="module")
def stripe(copies):
    token = json.loads((copies.state / "secrets.json").read_text())["billing_token"]
    url = f"http://127.0.0.1:{copies.ports['billing-sandbox']}"
    with httpx2.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def agreeing(copies) -> list[dict[str, Any]]:
    """Customers that all systems know and agree about, each to be used by one test."""
    found = [edge["node"] for edge in copies.data(CUSTOMER)["customers"]["edges"]]
    return [each for each in found if not each["drift"] and each["billingRecord"] and each["erpRecord"]]


@pytest.fixture
def customer(agreeing) -> dict[str, Any]:
    return agreeing.pop()


def run(product, headers: dict[str, str] | None = None, **given: Any) -> dict[str, Any]:
    return product.data(RUN, {"input": given}, **(headers or {}))["runReconciliation"]["run"]


def drifts(product, **wanted: Any) -> list[dict[str, Any]]:
    return [edge["node"] for edge in product.data(LIST, {"filter": wanted})["drifts"]["edges"]]


def external(customer: dict[str, Any], system: str) -> str:
    return next(each["externalId"] for each in customer["identities"] if each["system"] == system)


def code(answer: dict[str, Any]) -> str:
    return answer["errors"][0]["extensions"]["code"]


def test_a_run_finds_what_the_systems_were_filled_with_and_nothing_else(copies, company):
    found, known = copies.run_found, drifts(copies)
    counted = copies.data("{ customers(first: 0) { totalCount } contracts(first: 0) { totalCount } }")
    total = sum(each["totalCount"] for each in counted.values())
    assert found | {"id": ""} == {
        "id": "", "status": "COMPLETED", "kinds": ["CUSTOMER", "CONTRACT"], "customer": None, "scheduled": False,
        "total": total, "compared": total, "differing": len(known), "opened": len(known), "resolved": 0,
        "unreachable": [],
    }  # fmt: skip
    by_system = {Source.CRM: "crm", Source.BILLING: "billing", Source.ERP: "erp"}
    expected = set()
    for customer in company.customers:
        is_prospect = Source.BILLING in customer.missing_in and Source.ERP in customer.missing_in
        for source in () if is_prospect else customer.missing_in:
            expected.add((customer.reference, "record", by_system[source]))
        holders = {source for source in by_system if source not in customer.missing_in}
        if Source.CRM not in holders:
            continue
        for name, differing in (("name", dict(customer.names)), ("city", dict(customer.cities))):
            changed = {Source.BILLING, Source.ERP} if Source.CRM in differing else differing.keys() & holders
            expected |= {(customer.reference, name, by_system[source]) for source in changed & holders}
    references = {}
    for edge in copies.data("{ customers(first: 200) { edges { node { id identities { reference } } } } }")[
        "customers"
    ]["edges"]:
        references[edge["node"]["id"]] = next(i["reference"] for i in edge["node"]["identities"] if i["reference"])
    of_customers = {
        (references[each["customer"]["id"]], each["field"], each["system"])
        for each in known
        if each["kind"] == "CUSTOMER"
    }
    assert of_customers == expected
    assert {(each["status"], each["workflow"]) for each in known} == {("OPEN", None)}
    # A customer that never reached the ERP: what billing charged was not invoiced.
    lost = {customer.reference for customer in company.customers if customer.missing_in == {Source.ERP}}
    contracts = {contract.number for contract in company.contracts if contract.customer in lost}
    invoiced = {each["contract"]["number"]: each for each in known if each["field"] == "invoiced"}
    assert contracts & invoiced.keys()
    for number in contracts & invoiced.keys():
        drift = invoiced[number]
        assert (drift["owner"], drift["system"], drift["ownerValue"]) == ("erp", "billing", "0.00")
        assert drift["difference"] == drift["copyValue"] != "0.00"


async def test_a_copy_that_changes_is_told_once_and_resolved_when_it_agrees_again(copies, stripe, customer):
    other = f"{customer['name']} {uuid.uuid4().hex[:4]}"
    record = f"/v1/customers/{external(customer, 'billing')}"
    stripe.post(record, data={"name": other}).raise_for_status()

    def differs() -> Any:
        return run(copies, customerId=customer["id"], kinds=["CUSTOMER"])["differing"]

    await copies.eventually(differs)
    assert run(copies, customerId=customer["id"])["opened"] == 0
    seen = copies.data(OF, {"id": customer["id"]})["customer"]
    (drift,) = seen["drift"]
    assert drift | {"id": ""} == {
        "id": "", "kind": "CUSTOMER", "field": "name", "owner": "crm", "system": "billing",
        "ownerValue": customer["name"], "copyValue": other, "difference": None, "currency": None, "status": "OPEN",
        "reason": None, "acceptedBy": None, "mendedBy": drift["mendedBy"], "contract": None, "workflow": None,
        "customer": {"id": customer["id"], "name": customer["name"]},
    }  # fmt: skip
    assert all(edge["node"]["drift"] == [] for edge in seen["contracts"]["edges"])
    node = "query($id: ID!) { node(id: $id) { __typename ... on Drift { field } } drift(id: $id) { field } }"
    assert copies.data(node, {"id": drift["id"]}) == {
        "node": {"__typename": "Drift", "field": "name"},
        "drift": {"field": "name"},
    }

    def told() -> list[Any]:
        edges = copies.data(TOLD, {"filter": {"customers": [customer["id"]]}})["events"]["edges"]
        nodes = [edge["node"] for edge in edges if edge["node"]["subject"] == drift["id"]]
        return [(each["type"], each["changes"], each["customer"]["id"]) for each in nodes]

    detected = ("concord.drift.detected.v1", [{"field": "name", "from": customer["name"], "to": other}], customer["id"])
    await copies.eventually(told)
    assert told() == [detected]
    stripe.post(record, data={"name": customer["name"]}).raise_for_status()
    await copies.eventually(lambda: run(copies, customerId=customer["id"])["resolved"])
    await copies.eventually(lambda: len(told()) == 2)
    same = [{"field": "name", "from": customer["name"], "to": customer["name"]}]
    assert told()[1] == ("concord.drift.resolved.v1", same, customer["id"])
    assert copies.data(OF, {"id": customer["id"]})["customer"]["drift"] == []
    assert [each["status"] for each in drifts(copies, customer=customer["id"])] == ["RESOLVED"]


def test_a_drift_is_accepted_with_a_reason(copies):
    accept = "mutation($input: AcceptDriftInput!) { acceptDrift(input: $input) { drift { status reason } clientMutationId } }"
    drift = next(each for each in drifts(copies, statuses=["OPEN"], kinds=["CUSTOMER"]) if each["field"] == "city")
    empty = copies.ask(accept, {"input": {"id": drift["id"], "reason": " "}})
    assert (code(empty), empty["data"]) == ("BAD_USER_INPUT", {"acceptDrift": None})
    given = {"id": drift["id"], "reason": "its warehouse is there", "clientMutationId": "a"}
    payload = copies.data(accept, {"input": given})["acceptDrift"]
    assert payload == {
        "drift": {"status": "ACCEPTED", "reason": "its warehouse is there"},
        "clientMutationId": "a",
    }
    assert code(copies.ask(accept, {"input": given})) == "CONFLICT"
    other = "RHJpZnQ6bm9uZQ"
    assert code(copies.ask(accept, {"input": {**given, "id": other}})) == "NOT_FOUND"
    assert code(copies.ask(accept, {"input": {**given, "id": drift["customer"]["id"]}})) == "BAD_USER_INPUT"
    assert run(copies, customerId=drift["customer"]["id"])["opened"] == 0
    assert drift["id"] in [each["id"] for each in drifts(copies, statuses=["ACCEPTED"])]


def test_what_people_have_to_mend_is_not_started(copies):
    mend = "mutation($input: MendDriftInput!) { mendDrift(input: $input) { workflow { id } } }"
    drift = next(each for each in drifts(copies, statuses=["OPEN"]) if each["field"] == "invoiced")
    assert drift["mendedBy"] is None
    assert code(copies.ask(mend, {"input": {"id": drift["id"]}})) == "CONFLICT"


def test_a_system_that_is_down_makes_a_run_partial_and_is_no_drift(copies):
    before = {each["id"]: each["status"] for each in drifts(copies)}
    copies.set_faults("erp", mode="down")
    try:
        found = run(
            copies, customerId=next(each for each in drifts(copies) if each["field"] == "city")["customer"]["id"]
        )
    finally:
        copies.set_faults("erp")
    assert (found["status"], found["opened"], found["resolved"]) == ("PARTIAL", 0, 0)
    assert [each["system"] for each in found["unreachable"]] == ["erp"]
    assert {each["id"]: each["status"] for each in drifts(copies)} == before


async def test_the_same_key_is_the_same_run(copies, customer):
    once = {"Idempotency_Key": uuid.uuid4().hex}
    first = run(copies, once, customerId=customer["id"])
    assert run(copies, once, customerId=customer["id"]) == first
    other = copies.post(RUN, {"input": {"kinds": ["CONTRACT"]}}, **once)
    assert (other.status_code, code(other.json())) == (422, "IDEMPOTENCY_KEY_REUSED")
    wrong = [
        {"kinds": []},
        {"customerId": customer["id"], "contractId": "Q29udHJhY3Q6Q09O"},
        {"contractId": customer["id"]},
        {"customerId": "nonsense"},
    ]
    for given in wrong:
        assert code(copies.ask(RUN, {"input": given})) == "BAD_USER_INPUT"


async def test_the_terminal_compares_lists_and_accepts(copies, customer):
    ended = copies.run("reconcile", "--customer", customer["id"], "--json")
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert (told["run"]["status"], told["open"], told["drifts"]) == ("COMPLETED", 0, [])
    known = drifts(copies, statuses=["OPEN"])
    listed = copies.run("reconcile", "drifts", "--json", "--limit", "200")
    assert [each["id"] for each in json.loads(listed.stdout)] == [each["id"] for each in known]
    shown = copies.run("reconcile", "drifts", "--system", "crm")
    assert shown.returncode == 0
    assert known[-1]["id"] in copies.run("reconcile", "drifts", "--limit", "200").stdout
    runs = json.loads(copies.run("reconcile", "runs", "--json").stdout)
    assert told["run"]["id"] == runs[0]["id"]
    accepted = copies.run("reconcile", "accept", known[-1]["id"], "--reason", "known")
    assert (accepted.returncode, "ACCEPTED" in accepted.stdout) == (0, True)
    refused = copies.run("reconcile", "accept", known[-1]["id"], "--reason", "known")
    assert (refused.returncode, "CONFLICT" in refused.stderr) == (1, True)
    whole = copies.run("reconcile")
    assert (whole.returncode, "COMPLETED" in whole.stdout) == (0, True)
