"""Owners and copies are compared: what differs is named, pushed, accepted or mended; what can't be asked is no drift."""

from __future__ import annotations

import datetime as dt
import json
import time
import uuid
from typing import Any

import httpx2
import pytest

from subgraphs.erp.vendors.tryton_json import to_parameter
from subgraphs.kit.company.generate import generate
from subgraphs.kit.company.model import Company, Source

CUSTOMERS = 40
DRIFT = """id kind field owner system ownerValue copyValue difference currency status reason acceptedBy mendedBy
  customer { id name } contract { number } workflow { status }"""
_RUN = """id status kinds customer { id } scheduled total compared differing opened resolved
  unreachable { system code subjects }"""
RUN = f"mutation Run($input: RunReconciliationInput!) {{ runReconciliation(input: $input, waitMs: 10000) {{ run {{ {_RUN} }} }} }}"
LOOK = f"query Look($id: ID!) {{ reconciliationRun(id: $id) {{ {_RUN} }} }}"
LIST = f"query List($filter: DriftFilter) {{ drifts(filter: $filter, first: 200) {{ totalCount edges {{ node {{ {DRIFT} }} }} }} }}"
OF = f"query Of($id: ID!) {{ customer(id: $id) {{ name legalName drift {{ {DRIFT} }} contracts(first: 5) {{ edges {{ node {{ number drift {{ field }} }} }} }} }} }}"
TOLD = """query Told($filter: LifecycleEventFilter) { events(filter: $filter, last: 200) { edges { node {
  type subject changes { field from to } customer { id } } } } }"""
CUSTOMER = """{ customers(first: 40) { edges { node {
  id name status identities { system externalId } billingRecord { name } erpRecord { name } drift { id } } } } }"""


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory, start_product):
    """A product of its own, compared once."""
    quick = {"CONCORD_ERP_POLL_INTERVAL_S": "1", "CONCORD_RECONCILIATION__PATIENCE_S": "2"}
    with start_product(tmp_path_factory.mktemp("copies"), CUSTOMERS, **quick) as running:
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
    """Return the run once it has ended."""
    found = product.data(RUN, {"input": given}, **(headers or {}))["runReconciliation"]["run"]
    until = time.monotonic() + 120
    while found["status"] == "RUNNING":
        assert time.monotonic() < until, found
        time.sleep(0.2)
        found = product.data(LOOK, {"id": found["id"]})["reconciliationRun"]
    return found


def drifts(product, **wanted: Any) -> list[dict[str, Any]]:
    return [edge["node"] for edge in product.data(LIST, {"filter": wanted})["drifts"]["edges"]]


def external(customer: dict[str, Any], system: str) -> str:
    return next(each["externalId"] for each in customer["identities"] if each["system"] == system)


def code(answer: dict[str, Any]) -> str:
    return answer["errors"][0]["extensions"]["code"]


def test_a_run_finds_what_the_systems_were_filled_with_and_nothing_else(copies, company):
    found, known = copies.run_found, drifts(copies)
    counted = copies.data(
        "{ customers(first: 0) { totalCount } contracts(first: 0) { totalCount } products(first: 0) { totalCount } }"
    )
    total = sum(each["totalCount"] for each in counted.values())
    assert found | {"id": ""} == {
        "id": "", "status": "COMPLETED", "kinds": ["CUSTOMER", "CONTRACT", "PRODUCT"], "customer": None, "scheduled": False,
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
    chosen = next(each["id"] for each in known if each["kind"] == "CONTRACT")
    listed = copies.run("reconcile", "drifts", "--json", "--limit", "200")
    assert [each["id"] for each in json.loads(listed.stdout)] == [each["id"] for each in known]
    shown = copies.run("reconcile", "drifts", "--system", "crm")
    assert shown.returncode == 0
    lines = copies.run("reconcile", "drifts", "--limit", "200").stdout.splitlines()
    # Readable in 80 columns: nothing is cut off or broken within a word.
    assert max(map(len, lines)) <= 80
    assert [line.strip() for line in lines if line.strip() in {each["id"] for each in known}] == [
        each["id"] for each in known
    ]
    for each in known:
        for system, value in ((each["owner"], each["ownerValue"]), (each["system"], each["copyValue"])):
            said = "nothing" if value is None else f"{value} {each['currency']}" if each["currency"] else value
            assert f"  {system}: {said}" in lines, each
    assert max(map(len, copies.run("reconcile", "runs").stdout.splitlines())) <= 80
    runs = json.loads(copies.run("reconcile", "runs", "--json").stdout)
    assert told["run"]["id"] == runs[0]["id"]
    accepted = copies.run("reconcile", "accept", chosen, "--reason", "known")
    assert (accepted.returncode, "ACCEPTED" in accepted.stdout) == (0, True)
    refused = copies.run("reconcile", "accept", chosen, "--reason", "known")
    assert (refused.returncode, "CONFLICT" in refused.stderr) == (1, True)
    whole = copies.run("reconcile")
    assert (whole.returncode, "COMPLETED" in whole.stdout) == (0, True)


ONBOARD = """mutation Onboard($input: OnboardCustomerInput!, $dryRun: Boolean! = false, $waitMs: Int! = 25000) {
  onboardCustomer(input: $input, dryRun: $dryRun, waitMs: $waitMs) {
    workflow { id kind status error { code system } steps { name system status compensated } }
    plan { step system action changes { field from to } }
    customer { id name legalName identities { system reference } crmRecord { name fields { name value } }
      billingRecord { name fields { name value } } erpRecord { name fields { name value } } taxIds } } }"""
SYNC = """mutation Sync($input: SyncCustomerInput!, $dryRun: Boolean! = false) {
  syncCustomer(input: $input, dryRun: $dryRun, waitMs: 25000) {
    workflow { id kind status error { code } steps { name status } }
    plan { step system action changes { field from to } } customer { id } } }"""
MEND = """mutation Mend($input: MendDriftInput!) { mendDrift(input: $input) { drift { id status } workflow { id kind status } } }"""
WORKFLOW = "query($id: ID!) { workflow(id: $id) { status error { code } steps { name status } customer { id } } }"
COMPENSATE = "mutation($id: ID!) { compensateWorkflow(id: $id) { workflow { status } } }"


def fields(record: dict[str, Any]) -> dict[str, str | None]:
    return {"name": record["name"], **{each["name"]: each["value"] for each in record["fields"] if each["value"]}}


def newcomer(**more: Any) -> dict[str, Any]:
    word = uuid.uuid4().hex[:6].capitalize()
    return {
        "name": f"{word} Robotics", "legalName": f"{word} Robotics GmbH", "domain": f"{word.lower()}.example",
        "street": "7 Kiln Lane", "city": "Berlin", "country": "DE", "taxId": f"DE{uuid.uuid4().int % 10**9:09}",
        "email": f"bills@{word.lower()}.example", "segment": "SMB", **more,
    }  # fmt: skip


async def ended(product, workflow: str) -> dict[str, Any]:
    """The workflow once it moves no more."""

    def look() -> Any:
        found = product.data(WORKFLOW, {"id": workflow})["workflow"]
        return None if found["status"] in ("RUNNING", "COMPENSATING") else found

    return await product.eventually(look, within_s=120)


def held(product, stripe, name: str) -> dict[str, int]:
    """How many records of a company each system holds, by the vendor's own interface."""
    secrets = json.loads((product.state / "secrets.json").read_text())
    crm = httpx2.post(
        f"http://127.0.0.1:{product.ports['crm-sandbox']}/crm/v3/objects/companies/search",
        json={"filterGroups": [{"filters": [{"propertyName": "name", "operator": "EQ", "value": name}]}], "limit": 10},
        headers={"authorization": f"Bearer {secrets['crm_token']}"},
        trust_env=False,
    )
    billing = [
        each for each in stripe.get("/v1/customers", params={"limit": "100"}).json()["data"] if each["name"] == name
    ]
    domain = [["name", "like", f"{name}%"], ["active", "=", True]]
    erp = httpx2.get(
        f"http://127.0.0.1:{product.ports['erp-sandbox']}/erp/rest/model/party.party",
        params={"d": to_parameter(domain), "f": ["name"]},
        headers={"authorization": f"Bearer {secrets['erp_token']}"},
        trust_env=False,
    )
    return {"crm": len(crm.json()["results"]), "billing": len(billing), "erp": len(erp.json())}


async def test_a_customer_is_onboarded_in_all_systems_once(copies, stripe):
    given, once = newcomer(), {"Idempotency_Key": uuid.uuid4().hex}
    plan = copies.data(ONBOARD, {"input": given, "dryRun": True})["onboardCustomer"]
    assert (plan["workflow"], plan["customer"]) == (None, None)
    assert [(each["step"], each["system"], each["action"]) for each in plan["plan"]] == [
        ("company", "crm", "ensureCompany"),
        ("customer in the ERP", "erp", "ensureParty"),
        ("customer in billing", "billing", "ensureBillingCustomer"),
    ]
    assert {"field": "taxId", "from": None, "to": given["taxId"]} in plan["plan"][1]["changes"]
    assert held(copies, stripe, given["name"]) == {"crm": 0, "billing": 0, "erp": 0}
    first = copies.ask(ONBOARD, {"input": given}, **once)["data"]["onboardCustomer"]["workflow"]
    assert (await ended(copies, first["id"]))["status"] == "COMPLETED"
    done = copies.data(ONBOARD, {"input": given}, **once)["onboardCustomer"]
    assert done["workflow"]["id"] == first["id"]
    assert [(each["name"], each["status"]) for each in done["workflow"]["steps"]] == [
        (name, "DONE") for name in ("check", "company", "customer in the ERP", "customer in billing", "identity")
    ]
    customer = done["customer"]
    assert {each["system"] for each in customer["identities"]} == {"crm", "billing", "erp"}
    (reference,) = {each["reference"] for each in customer["identities"]}
    assert (customer["name"], customer["legalName"], customer["taxIds"]) == (
        given["name"], given["legalName"], [given["taxId"]],
    )  # fmt: skip
    place = {"city": "Berlin", "country": "DE"}
    assert fields(customer["crmRecord"]) == place | {
        "name": given["name"], "domain": given["domain"], "customerReference": reference, "address": given["street"],
    }  # fmt: skip
    erp = {"name": given["legalName"], "reference": reference, "street": given["street"], "email": given["email"]}
    assert fields(customer["erpRecord"]) == place | erp | {"website": f"https://{given['domain']}"}
    billing = fields(customer["billingRecord"])
    assert billing | {"createdAt": "", "currency": ""} == place | {
        "name": given["name"], "reference": reference, "email": given["email"], "taxId": given["taxId"],
        "createdAt": "", "currency": "",
    }  # fmt: skip
    assert held(copies, stripe, given["name"]) == {"crm": 1, "billing": 1, "erp": 1}
    other = copies.post(ONBOARD, {"input": {**given, "city": "Bonn"}}, **once)
    assert (other.status_code, code(other.json())) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert run(copies, customerId=customer["id"])["differing"] == 0
    for wrong in ({"name": " "}, {"country": "Germany"}, {"city": "x" * 201}):
        assert code(copies.ask(ONBOARD, {"input": {**given, **wrong}})) == "BAD_USER_INPUT"
    # Taken back, even when it is done: nothing of it is left in any system.
    copies.data(COMPENSATE, {"id": first["id"]})
    assert (await ended(copies, first["id"]))["status"] == "COMPENSATED"
    assert held(copies, stripe, given["name"]) == {"crm": 0, "billing": 0, "erp": 0}


@pytest.mark.parametrize(
    ("system", "paths", "failed"),
    [
        ("crm", r"^/crm/v3/objects/companies$", "company"),
        ("erp", r"/rpc/", "customer in the ERP"),
        ("billing", r"^/v1/customers$", "customer in billing"),
    ],
)
async def test_a_step_that_is_refused_leaves_nothing(copies, stripe, system, paths, failed):
    given = newcomer()
    status = 422 if system == "erp" else 400
    copies.set_faults(system, errorRate=1, errorStatus=status, paths=paths)
    try:
        answer = copies.ask(ONBOARD, {"input": given}, Idempotency_Key=uuid.uuid4().hex)
        workflow = answer["data"]["onboardCustomer"]["workflow"]
        if system != "erp":  # taking back what is in the ERP needs what is refused there
            assert (await ended(copies, workflow["id"]))["status"] == "COMPENSATED"
    finally:
        copies.set_faults(system)
    found = await ended(copies, workflow["id"])
    steps = {each["name"]: each["status"] for each in found["steps"]}
    assert (found["status"], steps[failed]) == ("COMPENSATED", "COMPENSATED"), found
    assert answer["errors"][0]["extensions"]["code"] in ("SAGA_COMPENSATED", "SAGA_IN_PROGRESS")
    assert answer["data"]["onboardCustomer"]["customer"] is None
    assert held(copies, stripe, given["name"]) == {"crm": 0, "billing": 0, "erp": 0}


async def test_a_drift_is_mended_by_the_owners_value_and_taken_back_as_it_was(copies):
    drift = next(
        each for each in drifts(copies, statuses=["OPEN"], fields=["city"]) if each["mendedBy"] == "customer-sync"
    )
    customer = drift["customer"]["id"]
    plan = copies.data(SYNC, {"input": {"customerId": customer}, "dryRun": True})["syncCustomer"]["plan"]
    change = {"field": "city", "from": drift["copyValue"], "to": drift["ownerValue"]}
    assert change in next(each["changes"] for each in plan if each["system"] == drift["system"])
    mended = copies.data(MEND, {"input": {"id": drift["id"]}})["mendDrift"]
    assert (mended["drift"]["status"], mended["workflow"]["kind"]) == ("OPEN", "customer-sync")
    assert (await ended(copies, mended["workflow"]["id"]))["status"] == "COMPLETED"
    look = "query($id: ID!) { drift(id: $id) { status copyValue workflow { status } } }"
    await copies.eventually(lambda: copies.data(look, {"id": drift["id"]})["drift"]["status"] == "RESOLVED")
    assert copies.data(look, {"id": drift["id"]})["drift"] == {
        "status": "RESOLVED", "copyValue": drift["ownerValue"], "workflow": {"status": "COMPLETED"},
    }  # fmt: skip
    assert code(copies.ask(MEND, {"input": {"id": drift["id"]}})) == "CONFLICT"
    assert copies.data(SYNC, {"input": {"customerId": customer}, "dryRun": True})["syncCustomer"]["plan"] == []
    copies.data(COMPENSATE, {"id": mended["workflow"]["id"]})
    assert (await ended(copies, mended["workflow"]["id"]))["status"] == "COMPENSATED"
    assert run(copies, customerId=customer)["opened"] >= 1
    again = next(each for each in drifts(copies, statuses=["OPEN"], customer=customer) if each["field"] == "city")
    assert (again["copyValue"], again["ownerValue"]) == (drift["copyValue"], drift["ownerValue"])


async def test_a_record_that_a_system_lacks_is_made_there(copies):
    lacking = drifts(copies, statuses=["OPEN"], fields=["record"])
    assert {each["system"] for each in lacking} == {"crm", "erp"}
    for drift in lacking:
        customer = drift["customer"]["id"]
        synced = copies.ask(SYNC, {"input": {"customerId": customer}})["data"]["syncCustomer"]
        assert (await ended(copies, synced["workflow"]["id"]))["status"] == "COMPLETED"
        known = copies.data("query($id: ID!) { customer(id: $id) { identities { system } } }", {"id": customer})
        assert {each["system"] for each in known["customer"]["identities"]} == {"crm", "billing", "erp"}
        await copies.eventually(lambda customer=customer: run(copies, customerId=customer, kinds=["CUSTOMER"]) and not drifts(
            copies, statuses=["OPEN"], customer=customer, fields=["record"]
        ))  # fmt: skip
    unknown = copies.ask(SYNC, {"input": {"customerId": "Q3VzdG9tZXI6bm9uZQ"}})["data"]["syncCustomer"]
    found = await ended(copies, unknown["workflow"]["id"])
    assert (found["status"], found["error"]["code"]) == ("COMPENSATED", "NOT_FOUND")
