"""Contracts are amended through all systems or not at all, at the price of whoever has to say it."""

from __future__ import annotations

import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from served_process import serve_module

AMEND = """
mutation Amend($input: AmendContractInput!, $dryRun: Boolean! = false, $waitMs: Int! = 20000) {
  amendContract(input: $input, dryRun: $dryRun, waitMs: $waitMs) {
    workflow { id kind status error { code message system } customer { id } contract { number }
      steps { name system status attempts error { code } } }
    plan { step system action changes { field from to } }
    contract { version }
    invoice { number status net { amount } } creditMemo { number status net { amount } }
  }
}
"""
SEEN = """
query Seen($id: ID!) { contract(id: $id) {
  id number version mrr { amount } items { product { sku } quantity price { unitAmount { amount } } }
  amendments(last: 5) { edges { node { sku quantityFrom quantityTo mrrChange { amount } } } }
  billedLines(last: 20) { edges { node { ref amount { amount } invoiceLine { invoice { number } } } } }
  invoices(first: 50) { edges { node { number status net { amount } } } }
  deferredBalance { amount } recognizedToDate { amount }
} }
"""
ACTIVE = """{ contracts(first: 100, filter: { status: [ACTIVE] }) { edges { node {
  id number version mrr { amount } currency items { product { sku } quantity } customer { id creditHold legalName } } } } }"""
EVENTS = """query Told($types: [String!]) { events(first: 200, filter: { types: $types }) {
  edges { node { id type contract { number } invoice { number } changes { field from to } } } } }"""
DECIDE = "mutation($id: ID!) { %s(id: $id) { workflow { status } } }"
WRITING = ("POST", "PATCH", "PUT", "DELETE")
READS_BY_POST = ("/search", "/batch/read", "associations", "/rpc/", "create_preview")


@pytest.fixture(scope="module")
def cpq(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("cpq")
    served = serve_module("subgraphs.examples.cpq.app", folder, {"CONCORD_EXAMPLES_CPQ_PORT": 0}, timeout_s=60)
    yield served.url
    served.stop()


@pytest.fixture(scope="module")
def agreeing(tmp_path_factory: pytest.TempPathFactory, start_product, cpq):
    """A product of its own: a CPQ service prices analytics and many seats, and big changes wait for somebody else."""
    folder: Path = tmp_path_factory.mktemp("agreeing-product")
    settings = f"""
[workflows.pricing]
cpq_url = "{cpq}/quote"
cpq_timeout_s = 2
[[workflows.pricing.rules]]
authority = "cpq"
products = ["ANALYTICS*"]
[[workflows.pricing.rules]]
authority = "cpq"
products = ["CORE-SEAT"]
above = 50000
"""
    environment = {"CONCORD_ERP_POLL_INTERVAL_S": "1", "CONCORD_WORKFLOWS__APPROVAL_ABOVE": "90000"}
    with start_product(folder, 40, settings, **environment) as running:
        yield running


@pytest.fixture(scope="module")
def contracts(agreeing) -> list[dict[str, Any]]:
    """Active contracts of customers on no hold, each to be used by one test."""
    found = [edge["node"] for edge in agreeing.data(ACTIVE)["contracts"]["edges"]]
    return [each for each in found if each["customer"]["creditHold"] is False and each["customer"]["legalName"]]


def taken(contracts: list[dict[str, Any]], *skus: str, without: str = "") -> dict[str, Any]:
    """Take a contract that has these products, and one not."""
    for place, contract in enumerate(contracts):
        held = {item["product"]["sku"]: item["quantity"] for item in contract["items"]}
        if all(held.get(sku) for sku in skus) and without not in held:
            return contracts.pop(place)
    raise LookupError(skus)


def quantity(contract: dict[str, Any], sku: str) -> int:
    return next(item["quantity"] for item in contract["items"] if item["product"]["sku"] == sku)


def amending(contract: dict[str, Any], **quantities: int) -> dict[str, Any]:
    items = [{"sku": sku.replace("_", "-"), "quantity": number} for sku, number in quantities.items()]
    return {"contractId": contract["id"], "version": contract["version"], "items": items}


def key() -> str:
    return str(uuid.uuid4())


def seen(product, contract: dict[str, Any]) -> dict[str, Any]:
    return product.data(SEEN, {"id": contract["id"]})["contract"]


def terms(found: dict[str, Any]) -> dict[str, tuple[int, str]]:
    return {
        item["product"]["sku"]: (item["quantity"], item["price"]["unitAmount"]["amount"]) for item in found["items"]
    }


def in_books(found: dict[str, Any]) -> Decimal:
    return Decimal(found["deferredBalance"]["amount"]) + Decimal(found["recognizedToDate"]["amount"])


def written(product, *systems: str) -> dict[str, int]:
    """Writing requests that the sandboxes have seen since they were last forgotten."""
    found = {}
    for system in systems:
        routes = product.vendor_requests(system)["byRoute"]
        found[system] = sum(
            count
            for route, count in routes.items()
            if route.startswith(WRITING) and not any(part in route for part in READS_BY_POST)
        )
    return found


async def settled(product, workflow: str) -> dict[str, Any]:
    query = "query($id: ID!) { workflow(id: $id) { status owner error { code system } steps { name status } } }"

    def look() -> dict[str, Any] | None:
        found = product.data(query, {"id": workflow})["workflow"]
        return None if found["status"] in ("RUNNING", "COMPENSATING") else found

    return await product.eventually(look, within_s=90)


async def told(product, contract: str, count: int, *types: str) -> list[str]:
    """The events of these types about a contract, once there are so many."""
    wanted = [f"concord.{each}.v1" for each in types]

    def look() -> list[str] | None:
        edges = product.data(EVENTS, {"types": wanted})["events"]["edges"]
        found = [e["node"]["type"] for e in edges if (e["node"]["contract"] or {}).get("number") == contract]
        return found if len(found) >= count else None

    return await product.eventually(look)


async def test_an_upgrade_is_priced_billed_and_in_the_books_once(agreeing, contracts):
    contract = taken(contracts, "CORE-SEAT")
    seats, before = quantity(contract, "CORE-SEAT"), seen(agreeing, contract)
    inputs, once = {"input": amending(contract, CORE_SEAT=seats + 6)}, key()
    planned = agreeing.data(AMEND, {**inputs, "dryRun": True})["amendContract"]["plan"]
    changes = {change["field"]: (change["from"], change["to"]) for change in planned[0]["changes"]}
    assert [(write["step"], write["system"]) for write in planned] == [
        ("amend", "billing"), ("order", "erp"), ("invoice", "erp"), ("document", "billing"), ("revenue", "erp"),
    ]  # fmt: skip
    assert changes["pricedBy"] == (None, "billing")
    assert changes["items.CORE-SEAT.quantity"] == (str(seats), str(seats + 6))
    # The policy gives big changes of this product to the CPQ service, by what they would be worth at billing's prices.
    big = agreeing.data(AMEND, {"input": amending(contract, CORE_SEAT=seats + 5_000), "dryRun": True})["amendContract"]
    assert {"field": "pricedBy", "from": None, "to": "cpq"} in big["plan"][0]["changes"]
    amended = agreeing.data(AMEND, inputs, Idempotency_Key=once)["amendContract"]
    workflow, invoice = amended["workflow"], amended["invoice"]
    assert (workflow["kind"], workflow["status"], workflow["error"]) == ("amendment", "COMPLETED", None)
    assert [(step["name"], step["system"], step["status"], step["attempts"]) for step in workflow["steps"]] == [
        (name, system, "DONE", 1)
        for name, system in (
            ("check", "billing"), ("price", "cpq"), ("amend", "billing"), ("order", "erp"), ("invoice", "erp"),
            ("document", "billing"), ("revenue", "erp"),
        )
    ]  # fmt: skip
    assert (workflow["customer"], workflow["contract"]) == (
        {"id": contract["customer"]["id"]},
        {"number": contract["number"]},
    )
    after = seen(agreeing, contract)
    assert terms(after)["CORE-SEAT"][0] == seats + 6
    assert (after["mrr"]["amount"], before["mrr"]["amount"]) == (changes["mrr"][1], changes["mrr"][0])
    assert (invoice["status"], amended["creditMemo"]) == ("POSTED", None)
    charged = [
        Decimal(edge["node"]["amount"]["amount"])
        for edge in after["billedLines"]["edges"]
        if (edge["node"]["invoiceLine"] or {}).get("invoice") == {"number": invoice["number"]}
    ]
    assert len(charged) == 2
    assert sum(charged) == Decimal(invoice["net"]["amount"])
    assert in_books(after) - in_books(before) == Decimal(invoice["net"]["amount"])
    # The same key again gives the first answer and writes nothing; with other arguments it is refused.
    agreeing.forget_vendor_requests("billing", "erp")
    again = agreeing.data(AMEND, inputs, Idempotency_Key=once)["amendContract"]
    assert (again["workflow"], again["invoice"]) == (workflow, invoice)
    other = agreeing.post(AMEND, {"input": amending(contract, CORE_SEAT=seats + 7)}, Idempotency_Key=once)
    assert (other.status_code, other.json()["errors"][0]["extensions"]["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    # Another key finds that the version it read is stale.
    stale = agreeing.ask(AMEND, inputs, Idempotency_Key=key())
    assert [(error["path"], error["extensions"]["code"]) for error in stale["errors"]] == [
        (["amendContract"], "CONFLICT")
    ]
    assert after["version"] in stale["errors"][0]["message"]
    assert written(agreeing, "billing", "erp") == {"billing": 0, "erp": 0}
    assert await told(agreeing, contract["number"], 1, "contract.amended") == ["concord.contract.amended.v1"]


async def test_a_downgrade_gives_credit_and_can_be_taken_back(agreeing, contracts):
    contract = taken(contracts, "PRO-SEAT")
    seats, before = quantity(contract, "PRO-SEAT"), seen(agreeing, contract)
    amended = agreeing.data(AMEND, {"input": amending(contract, PRO_SEAT=seats - 2)}, Idempotency_Key=key())[
        "amendContract"
    ]
    memo, workflow = amended["creditMemo"], amended["workflow"]["id"]
    assert (amended["invoice"], memo["status"]) == (None, "POSTED")
    reduced = seen(agreeing, contract)
    assert terms(reduced)["PRO-SEAT"][0] == seats - 2
    assert in_books(before) - in_books(reduced) == Decimal(memo["net"]["amount"]) > 0
    decided = agreeing.data(DECIDE % "compensateWorkflow", {"id": workflow})["compensateWorkflow"]["workflow"]
    assert decided == {"status": "COMPENSATING"}
    assert (await settled(agreeing, workflow))["status"] == "COMPENSATED"
    after = seen(agreeing, contract)
    assert (terms(after), after["mrr"], after["version"]) == (terms(before), before["mrr"], before["version"])
    assert in_books(after) == in_books(before)
    assert after["invoices"] == before["invoices"]


def test_a_dry_run_writes_nothing_and_refuses_what_would_be_refused(agreeing, contracts):
    contract = contracts[0]
    sku = next(item["product"]["sku"] for item in contract["items"] if item["quantity"])
    agreeing.forget_vendor_requests("crm", "billing", "erp")
    before = agreeing.data("{ workflows { totalCount } }")
    wanted = {"contractId": contract["id"], "version": contract["version"], "items": [{"sku": sku, "quantity": 1_000}]}
    planned = agreeing.data(AMEND, {"input": wanted, "dryRun": True})["amendContract"]
    assert (planned["workflow"], planned["invoice"], bool(planned["plan"])) == (None, None, True)
    for changed, code in (
        ({"version": "stale"}, "CONFLICT"),
        ({"items": [{"sku": "NO-SUCH-SKU", "quantity": 1}]}, "BAD_USER_INPUT"),
        ({"items": [{"sku": sku, "quantity": -1}]}, "BAD_USER_INPUT"),
        ({"items": []}, "BAD_USER_INPUT"),
        ({"items": [{"sku": sku, "quantity": next(i["quantity"] for i in contract["items"] if i["product"]["sku"] == sku)}]}, "BAD_USER_INPUT"),
        ({"contractId": contract["customer"]["id"]}, "BAD_USER_INPUT"),
        ({"contractId": "Q29udHJhY3Q6Q09OLTE5OTktMDAwMQ"}, "NOT_FOUND"),
    ):  # fmt: skip
        answer = agreeing.ask(AMEND, {"input": {**wanted, **changed}, "dryRun": True})
        assert [e["extensions"]["code"] for e in answer["errors"]] == [code], (changed, answer)
        assert answer["data"] == {"amendContract": None}
    assert agreeing.data("{ workflows { totalCount } }") == before
    assert written(agreeing, "crm", "billing", "erp") == {"crm": 0, "billing": 0, "erp": 0}


def test_what_the_books_refuse_is_undone_in_billing(agreeing, contracts):
    contract = taken(contracts, "CORE-SEAT")
    before, seats = seen(agreeing, contract), quantity(contract, "CORE-SEAT")
    for step, path in (("invoice", r"account\.invoice/\d+/post"), ("revenue", r"account\.invoice\.deferred/\d+/run")):
        agreeing.set_faults("erp", errorRate=1, errorStatus=422, paths=path)
        try:
            version = seen(agreeing, contract)["version"]
            wanted = {**amending(contract, CORE_SEAT=seats + 3), "version": version}
            answer = agreeing.ask(AMEND, {"input": wanted}, Idempotency_Key=key())
        finally:
            agreeing.set_faults("erp")
        workflow = answer["data"]["amendContract"]["workflow"]
        statuses = {each["name"]: each["status"] for each in workflow["steps"]}
        assert (workflow["status"], workflow["error"]["code"], workflow["error"]["system"]) == (
            "COMPENSATED", "SYSTEM_REJECTED", "erp",
        ), workflow  # fmt: skip
        assert (statuses["amend"], statuses["order"], statuses[step]) == ("COMPENSATED", "COMPENSATED", "COMPENSATED")
        assert {error["extensions"]["code"] for error in answer["errors"]} == {"SAGA_COMPENSATED"}
        after = seen(agreeing, contract)
        assert (terms(after), after["version"]) == (terms(before), before["version"])
        assert in_books(after) == in_books(before)
        new = [edge["node"] for edge in after["invoices"]["edges"] if edge not in before["invoices"]["edges"]]
        assert {each["status"] for each in new} <= {"VOIDED"}


async def test_a_cpq_service_prices_what_the_policy_gives_it(agreeing, contracts, cpq):
    contract = taken(contracts, "ANALYTICS")
    before = seen(agreeing, contract)
    wanted = {"input": amending(contract, ANALYTICS=20)}

    def cpq_faults(**faults: Any) -> None:
        agreeing.client.put(f"{cpq}/__sandbox/faults", json=faults).raise_for_status()

    planned = agreeing.data(AMEND, {**wanted, "dryRun": True})["amendContract"]["plan"]
    changes = {change["field"]: change["to"] for change in planned[0]["changes"]}
    assert changes["pricedBy"] == "cpq"
    for mode, code in (("garbage", "SYSTEM_BAD_RESPONSE"), ("html", "SYSTEM_BAD_RESPONSE"), ("down", "SYSTEM_UNAVAILABLE"), ("blackhole", "SYSTEM_TIMEOUT")):  # fmt: skip
        cpq_faults(mode=mode)
        answer = agreeing.ask(AMEND, {**wanted, "dryRun": True})
        assert [(e["path"], e["extensions"]["code"]) for e in answer["errors"]] == [(["amendContract"], code)], mode
    refused = agreeing.ask(AMEND, wanted, Idempotency_Key=key())
    assert ([e["extensions"]["code"] for e in refused["errors"]], refused["data"]) == (
        ["SYSTEM_TIMEOUT"],
        {"amendContract": None},
    )
    cpq_faults()
    # Billing takes the new price, refuses the bill, and refuses to take it back: a case for its team, until it is mended.
    agreeing.set_faults("billing", errorRate=1, errorStatus=400, paths=r"/v1/invoices/[^/]+/finalize")
    try:
        answer = agreeing.ask(AMEND, wanted, Idempotency_Key=key())
        stopped = answer["data"]["amendContract"]["workflow"]
        found = await settled(agreeing, stopped["id"])
    finally:
        agreeing.set_faults("billing")
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"SAGA_NEEDS_ATTENTION"}
    assert (found["status"], found["owner"], found["error"]["code"]) == (
        "NEEDS_ATTENTION", "subscriptions", "SYSTEM_REJECTED",
    )  # fmt: skip
    assert terms(seen(agreeing, contract))["ANALYTICS"][0] == 20
    agreeing.data(DECIDE % "retryWorkflow", {"id": stopped["id"]})
    assert (await settled(agreeing, stopped["id"]))["status"] == "COMPENSATED"
    undone = seen(agreeing, contract)
    assert (terms(undone), undone["version"]) == (terms(before), before["version"])
    amended = agreeing.data(AMEND, wanted, Idempotency_Key=key())["amendContract"]
    after = seen(agreeing, contract)
    assert terms(after)["ANALYTICS"] == (20, changes["items.ANALYTICS.unitPrice"])
    assert after["mrr"]["amount"] == changes["mrr"]
    assert amended["invoice"]["net"]["amount"] == changes["bill.net"]
    assert in_books(after) - in_books(before) == Decimal(changes["bill.net"])


async def test_somebody_else_has_to_approve_what_is_worth_much(agreeing, contracts):
    contract = taken(contracts, "PRO-SEAT")
    granted = [
        "contracts:read",
        "contracts:write",
        "operations:read",
        "operations:write",
        "invoices:read",
        "customers:read",
    ]
    options = [part for name in granted for part in ("--scope", name)]

    def token(name: str) -> dict[str, str]:
        made = agreeing.run("access", "token", name, *options)
        assert made.returncode == 0, made.stderr
        return {"authorization": f"Bearer {made.stdout.strip()}"}

    ada, bob = token("ada"), token("bob")
    asked = {"input": amending(contract, PRO_SEAT=5_000), "waitMs": 0}
    answer = agreeing.ask(AMEND, asked, Idempotency_Key=(once := key()), **ada)
    waiting = answer["data"]["amendContract"]["workflow"]
    assert waiting["status"] == "WAITING_APPROVAL"
    assert {step["status"] for step in waiting["steps"]} == {"PENDING"}
    assert quantity(contract, "PRO-SEAT") == terms(seen(agreeing, contract))["PRO-SEAT"][0]
    for headers in (ada, {}):
        refused = agreeing.ask(DECIDE % "approveWorkflow", {"id": waiting["id"]}, **headers)
        assert [error["extensions"]["code"] for error in refused["errors"]] == ["FORBIDDEN"]
    approved = agreeing.data(DECIDE % "approveWorkflow", {"id": waiting["id"]}, **bob)
    assert approved["approveWorkflow"]["workflow"] == {"status": "RUNNING"}
    assert (await settled(agreeing, waiting["id"]))["status"] == "COMPLETED"
    assert terms(seen(agreeing, contract))["PRO-SEAT"][0] == 5_000
    again = agreeing.data(AMEND, asked, Idempotency_Key=once, **ada)["amendContract"]
    assert (again["workflow"]["id"], again["invoice"]["status"]) == (waiting["id"], "POSTED")
