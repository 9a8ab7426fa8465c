"""Each mutation reaches its owner and no other, answers with the re-read entity, and takes effect once per key."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest

SYSTEMS = ("crm", "billing", "erp")
WHOLE = "id name segment mrr { amount } legalName creditHold overdueBalance { amount }"
SUBJECT = """
query Subject($id: ID!) {
  customer(id: $id) {
    id version erpVersion identityVersion name segment creditHold
    contracts(first: 5, filter: { status: [ACTIVE] }) { edges { node { id number version autoRenews } } }
    opportunities(first: 5) { edges { node { id version name amount { amount } } } }
    invoices(first: 5, filter: { status: [POSTED] }) { edges { node { id number version balance { amount } } } }
  }
}
"""
WRITING = ("POST", "PATCH", "PUT", "DELETE")
READS_BY_POST = ("/composite/sobjects/", "/oauth2/token", "/search", "/batch/read", "associations", "/rpc/")


def subject(product, customer: dict[str, Any]) -> dict[str, Any]:
    return product.data(SUBJECT, {"id": customer["id"]})["customer"]


def first(connection: dict[str, Any]) -> dict[str, Any]:
    return connection["edges"][0]["node"]


def writes(product) -> dict[str, int]:
    """Writing requests that each sandbox has seen since they were last forgotten."""
    found = {}
    for system in SYSTEMS:
        routes = product.vendor_requests(system)["byRoute"]
        found[system] = sum(
            count
            for route, count in routes.items()
            if route.startswith(WRITING) and not any(part in route for part in READS_BY_POST)
        )
    return found


def write(product, field: str, inputs: dict[str, Any], selection: str, **headers: str) -> dict[str, Any]:
    document = (
        f"mutation Write($input: {field[0].upper()}{field[1:]}Input!) {{ {field}(input: $input) {{ {selection} }} }}"
    )
    return product.ask(document, {"input": inputs}, **headers)


def key() -> str:
    return str(uuid.uuid4())


def test_the_crm_takes_a_profile_and_the_answer_is_the_customer_of_all_systems(product, overdue_customer):
    before = subject(product, overdue_customer)
    product.forget_vendor_requests(*SYSTEMS)
    inputs = {"customerId": before["id"], "version": before["version"], "industry": f"Testing {key()[:6]}"}
    answer = write(product, "updateCustomerProfile", inputs, f"customer {{ {WHOLE} industry }}")
    assert "errors" not in answer, answer
    customer = answer["data"]["updateCustomerProfile"]["customer"]
    assert customer["industry"] == inputs["industry"]
    assert customer["legalName"]
    assert customer["mrr"]
    done = writes(product)
    assert done["crm"] >= 1
    assert (done["billing"], done["erp"]) == (0, 0)


def test_a_stale_version_is_a_conflict_and_nothing_is_written(product, overdue_customer):
    before = subject(product, overdue_customer)
    inputs = {"customerId": before["id"], "version": "2001-01-01T00:00:00Z", "industry": "Never"}
    answer = write(product, "updateCustomerProfile", inputs, "customer { id industry }")
    (error,) = answer["errors"]
    assert error["path"] == ["updateCustomerProfile"]
    assert (error["extensions"]["code"], error["extensions"]["system"]) == ("CONFLICT", "crm")
    assert error["extensions"]["outcome"] == "NOT_APPLIED"
    assert answer["data"] == {"updateCustomerProfile": None}


def test_every_refusal_of_a_stale_version_tells_the_current_one(product, overdue_customer):
    """With it the caller looks at what changed, and may send the same write again."""
    query = """query($id: ID!) { customer(id: $id) { version identityVersion erpVersion creditHold industry
      opportunities(first: 1) { edges { node { id version name stage } } }
      contracts(first: 5, filter: { status: [ACTIVE] }) { edges { node { id number version autoRenews endsOn renewalVersion } } }
      invoices(first: 1, filter: { status: [POSTED] }) { edges { node { id version balance { amount } } } } } }"""
    known = product.data(query, {"id": overdue_customer["id"]})["customer"]
    deal, contract, invoice = (first(known[name]) for name in ("opportunities", "contracts", "invoices"))
    of_contract = {
        "version": contract["version"], "status": "ACTIVE", "autoRenews": contract["autoRenews"],
        "endsOn": contract["endsOn"], "resumesOn": None,
    }  # fmt: skip
    of_invoice = {"version": invoice["version"], "status": "POSTED", "balance": invoice["balance"]["amount"]}
    customer, stale = {"customerId": overdue_customer["id"]}, {"version": "1.0"}
    others = product.data("{ customers(first: 5) { edges { node { id identities { system externalId } } } } }")
    other = next(e["node"] for e in others["customers"]["edges"] if e["node"]["id"] != overdue_customer["id"])
    theirs = {name: other["identities"][0][name] for name in ("system", "externalId")}
    refused = {
        "updateCustomerProfile": ({**customer, "industry": "Never"}, {"version": known["version"], "industry": known["industry"]}),
        "updateOpportunity": ({"id": deal["id"], "name": "Never"}, {"version": deal["version"], "name": deal["name"]}),
        "pauseContract": ({"contractId": contract["id"]}, of_contract),
        "scheduleCancellation": ({"contractId": contract["id"]}, of_contract),
        "setAutoRenew": ({"contractId": contract["id"], "autoRenews": not contract["autoRenews"]}, of_contract),
        "setCreditHold": (
            {**customer, "onHold": known["creditHold"]},
            {"version": known["erpVersion"], "onHold": known["creditHold"]},
        ),
        "recordPayment": ({"invoiceId": invoice["id"], "amount": "0.01"}, of_invoice),
        "issueCreditMemo": ({"invoiceId": invoice["id"], "reason": "Never"}, of_invoice),
        "voidInvoice": ({"invoiceId": invoice["id"]}, of_invoice),
        "mergeCustomers": ({**customer, "duplicateIds": [other["id"]]}, {"version": known["identityVersion"]}),
        "linkIdentity": ({**customer, **theirs}, {"version": known["identityVersion"]}),
        "splitCustomer": (
            {**customer, "records": [{"system": "crm", "externalId": "1"}]},
            {"version": known["identityVersion"]},
        ),
    }  # fmt: skip
    for field, (inputs, current) in refused.items():
        answer = write(product, field, {**inputs, **stale}, "__typename")
        (error,) = answer["errors"]
        told = error["extensions"]
        assert (error["path"], told["code"], told["outcome"]) == ([field], "CONFLICT", "NOT_APPLIED"), field
        found = told["current"]
        if "balance" in found:
            found["balance"] = f"{float(found['balance']):.2f}"
        assert found == current, field
        assert (answer.get("data") or {field: None}) == {field: None}


async def test_a_write_in_doubt_names_the_workflow_that_settles_it(product, overdue_customer):
    deal = first(subject(product, overdue_customer)["opportunities"])
    inputs = {"id": deal["id"], "version": deal["version"], "name": f"Found again {key()[:6]}"}
    once = key()
    product.set_faults("crm", mode="reset", paths=r"/deals/\d+$|/sobjects/Opportunity/\w+$")
    try:
        answer = write(product, "updateOpportunity", inputs, "opportunity { name }", Idempotency_Key=once)
    finally:
        product.set_faults("crm")
    (error,) = answer["errors"]
    told = error["extensions"]
    assert (answer["data"], error["path"]) == ({"updateOpportunity": None}, ["updateOpportunity"])
    assert (told["code"], told["system"], told["outcome"]) == ("SYSTEM_UNAVAILABLE", "crm", "UNKNOWN")
    query = "query($id: ID!) { workflow(id: $id) { kind status error { code } steps { name system status } } }"

    def ended() -> dict[str, Any] | None:
        found = product.data(query, {"id": told["workflow"]})["workflow"]
        return None if found["status"] == "RUNNING" else found

    assert await product.eventually(ended, within_s=90) == {
        "kind": "in-doubt-crm",
        "status": "COMPLETED",
        "error": None,
        "steps": [{"name": "ask", "system": "crm", "status": "DONE"}],
    }
    again = write(product, "updateOpportunity", inputs, "opportunity { name }", Idempotency_Key=once)
    assert again == {"data": {"updateOpportunity": {"opportunity": {"name": inputs["name"]}}}}


def test_billing_alone_learns_that_a_contract_renews_by_itself_or_not(product, overdue_customer):
    contract = first(subject(product, overdue_customer)["contracts"])
    product.forget_vendor_requests(*SYSTEMS)
    inputs = {"contractId": contract["id"], "version": contract["version"], "autoRenews": not contract["autoRenews"]}
    selection = "contract { number autoRenews version opportunity { name } billedToDate { amount } }"
    answer = write(product, "setAutoRenew", inputs, selection, Idempotency_Key=key())
    assert "errors" not in answer, answer
    changed = answer["data"]["setAutoRenew"]["contract"]
    assert changed["autoRenews"] is not contract["autoRenews"]
    assert changed["billedToDate"]["amount"]
    done = writes(product)
    assert done["billing"] >= 1
    assert (done["crm"], done["erp"]) == (0, 0)


@pytest.fixture(scope="module")
def metered(product) -> dict[str, Any]:
    """An entitlement to calls of the API, which are charged by use."""
    query = """{ customers(first: 200) { edges { node {
        entitlement(feature: "api_calls") { id state used contract { id status } } } } } }"""
    found = (edge["node"]["entitlement"] for edge in product.data(query)["customers"]["edges"])
    return next(
        each
        for each in found
        if each and each["state"] == "ACTIVE" and (each["contract"] or {}).get("status") == "ACTIVE"
    )


def test_usage_is_counted_once_however_often_it_is_sent_with_one_key(product, metered):
    product.forget_vendor_requests(*SYSTEMS)
    inputs = {"contractId": metered["contract"]["id"], "feature": "api_calls", "quantity": "25"}
    once = key()
    selection = "entitlement { id used } contract { number customer { name } }"
    answers = [write(product, "recordUsage", inputs, selection, Idempotency_Key=once) for _ in range(3)]
    assert "errors" not in answers[0], answers[0]
    assert answers[0] == answers[1] == answers[2]
    entitlement = answers[0]["data"]["recordUsage"]["entitlement"]
    assert entitlement["id"] == metered["id"]
    assert float(entitlement["used"]) == float(metered["used"]) + 25
    done = writes(product)
    assert (done["crm"], done["billing"], done["erp"]) == (0, 1, 0)
    other = write(product, "recordUsage", inputs | {"quantity": "26"}, selection, Idempotency_Key=once)
    assert other["errors"][0]["extensions"]["code"] == "IDEMPOTENCY_KEY_REUSED"


def test_two_uses_in_one_request_count_twice_whatever_conditions_they_are_under(product, metered):
    selection = "{ entitlement { used } }"
    document = f"""mutation($i: RecordUsageInput!, $j: RecordUsageInput!, $x: Boolean!, $y: Boolean!) {{
      ... @include(if: $x) {{ b: recordUsage(input: $j) @include(if: $y) {selection} }}
      a: recordUsage(input: $i) {selection}
    }}"""
    inputs = {"contractId": metered["contract"]["id"], "feature": "api_calls", "quantity": "7"}
    first = {**inputs, "clientMutationId": key()}
    before = product.data(document, {"i": first, "j": first, "x": False, "y": True})["a"]["entitlement"]
    both = {"i": {**inputs, "clientMutationId": key()}, "j": {**inputs, "clientMutationId": key()}}
    for _ in range(2):
        answer = product.data(document, {**both, "x": True, "y": True})
        used = {name: float(field["entitlement"]["used"]) - float(before["used"]) for name, field in answer.items()}
        assert used == {"b": 7, "a": 14}


def test_the_erp_alone_puts_a_customer_on_hold_and_support_sees_it_at_once(product, overdue_customer):
    decision = product.document("entitlement_decision")
    for on_hold in (True, False):
        before = subject(product, overdue_customer)
        product.forget_vendor_requests(*SYSTEMS)
        inputs = {"customerId": before["id"], "onHold": on_hold, "version": before["erpVersion"]}
        answer = write(product, "setCreditHold", inputs, f"customer {{ {WHOLE} }}", Idempotency_Key=key())
        assert "errors" not in answer, answer
        assert answer["data"]["setCreditHold"]["customer"]["creditHold"] is on_hold
        assert answer["data"]["setCreditHold"]["customer"]["name"] == before["name"]
        done = writes(product)
        assert (done["crm"], done["billing"]) == (0, 0)
        seen = product.data(decision, {"customerId": before["id"], "feature": "seats"})["customer"]
        assert seen["entitlement"]["decision"]["allowed"] is not on_hold
        assert (seen["entitlement"]["decision"]["reason"] == "CREDIT_HOLD") is on_hold


def test_a_payment_is_booked_once_and_lowers_what_is_owed(product, overdue_customer):
    before = subject(product, overdue_customer)
    invoice = first(before["invoices"])
    inputs = {
        "invoiceId": invoice["id"],
        "amount": "10.00",
        "receivedOn": dt.datetime.now(dt.UTC).date().isoformat(),
        "reference": f"TEST-{key()[:8]}",
    }
    selection = "payment { id amount { amount } } invoice { number balance { amount } contract { number status } }"
    once = key()
    answers = [write(product, "recordPayment", inputs, selection, Idempotency_Key=once) for _ in range(2)]
    assert "errors" not in answers[0], answers[0]
    assert answers[0] == answers[1]
    paid = answers[0]["data"]["recordPayment"]
    assert float(paid["invoice"]["balance"]["amount"]) == pytest.approx(float(invoice["balance"]["amount"]) - 10)


@pytest.mark.parametrize(
    ("field", "inputs", "system"),
    [
        ("recordPayment", {"amount": "-1.00"}, "erp"),
        ("recordPayment", {"amount": "99999999.00"}, "erp"),
        ("recordUsage", {"feature": "teleport", "quantity": "1"}, "billing"),
        ("recordUsage", {"feature": "api_calls", "quantity": "-1"}, "billing"),
    ],
)
def test_what_the_owner_can_not_take_comes_back_with_a_code(product, overdue_customer, field, inputs, system):
    known = subject(product, overdue_customer)
    ids = {"recordPayment": ("invoiceId", known["invoices"]), "recordUsage": ("contractId", known["contracts"])}
    name, connection = ids[field]
    answer = write(product, field, {name: first(connection)["id"], **inputs}, "clientMutationId")
    (error,) = answer["errors"]
    assert error["extensions"]["code"] in {"BAD_USER_INPUT", "SYSTEM_REJECTED"}
    assert error["extensions"]["system"] == system
    assert error["extensions"]["outcome"] == "NOT_APPLIED"


def test_an_unknown_id_is_refused_with_a_code(product):
    for contract in ("nonsense", "Q29udHJhY3Q6Q09OLTE5OTktMDAwMQ"):
        inputs = {"contractId": contract, "version": "1", "autoRenews": True}
        answer = write(product, "setAutoRenew", inputs, "contract { number }")
        assert answer["errors"][0]["extensions"]["code"] in {"BAD_USER_INPUT", "NOT_FOUND"}
        assert answer["data"] == {"setAutoRenew": None}


def test_customers_merge_and_part_again_with_their_history(product):
    found = product.data(
        "{ customers(first: 2, orderBy: { field: NAME, direction: DESC }) { edges { node { id identityVersion identities { system externalId } } } } }"
    )
    kept, other = (edge["node"] for edge in found["customers"]["edges"])
    inputs = {"customerId": kept["id"], "version": kept["identityVersion"], "duplicateIds": [other["id"]]}
    selection = "customer { id identityVersion identities { system externalId } contracts(first: 50) { totalCount } history { kind otherCustomerId } }"
    merged = write(product, "mergeCustomers", inputs, selection)
    assert "errors" not in merged, merged
    customer = merged["data"]["mergeCustomers"]["customer"]
    assert {tuple(each.values()) for each in customer["identities"]} == {
        tuple(each.values()) for each in kept["identities"] + other["identities"]
    }
    assert {"kind": "MERGED_IN", "otherCustomerId": other["id"]} in customer["history"]
    assert product.data("query($id: ID!) { node(id: $id) { id } }", {"id": other["id"]})["node"]["id"] == kept["id"]
    inputs = {"customerId": kept["id"], "version": customer["identityVersion"], "records": other["identities"]}
    parted = write(product, "splitCustomer", inputs, "customer { identities { system externalId } }")
    assert "errors" not in parted, parted
    assert {tuple(each.values()) for each in parted["data"]["splitCustomer"]["customer"]["identities"]} in (
        {tuple(each.values()) for each in other["identities"]},
        {tuple(each.values()) for each in kept["identities"]},
    )
