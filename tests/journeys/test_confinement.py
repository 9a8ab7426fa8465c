"""Claims as filters: what a business unit, or a customer of ours, sees of every system; all else looks as if it were not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from subgraphs.kit.global_id import encode_global_id, parse_global_id

SCOPES = sorted(
    set(re.findall(r'"([a-z]+:[a-z]+)"', (Path(__file__).parents[2] / "schema/supergraph.graphql").read_text()))
)
UNIT = "ENTERPRISE"

LISTS = {
    "customers": ("CustomerFilter", {"overdue": True}, "id"),
    "contracts": ("ContractFilter", {"status": ["ACTIVE"]}, "id customer { id }"),
    "invoices": ("InvoiceFilter", {"overdue": True}, "id customer { id }"),
    "opportunities": ("OpportunityFilter", {"stage": ["PROPOSAL", "NEGOTIATION"]}, "id customer { id }"),
}
TRAIL = """{ customers(first: 40, filter: { overdue: true }) { edges { node { id segment
    contacts { edges { node { id } } } opportunities { edges { node { id version } } }
    entitlements { edges { node { id } } } erpVersion version
    contracts { edges { node { id number version billedLines { edges { node { ref } } } } } }
    invoices { edges { node { id version journalEntry { id } lines { edges { node { id revenueEntries { edges { node { id } } } } } }
      payments { edges { node { id } } } creditMemos { edges { node { id } } } } } } } } } }"""
NODE = """query($id: ID!) { node(id: $id) { __typename id
    ... on Customer { name legalName mrr { amount } invoices { totalCount } opportunities { totalCount } contacts { totalCount } }
    ... on Contract { status opportunity { id } accountManager { id } renewalStage invoices { totalCount }
      billedToDate { amount } recognizedToDate { amount } deferredBalance { amount } revenueSchedule { totalCount } }
    ... on Invoice { number } ... on InvoiceLine { description } ... on Payment { amount { amount } }
    ... on CreditMemo { number } ... on RevenueEntry { month } ... on JournalEntry { number }
    ... on Opportunity { name } ... on Contact { name } ... on Entitlement { feature used } } }"""
ABSENT = {
    "Customer": "no-such-customer",
    "Contract": "CON-2019-9999",
    "Invoice": "INV-2019-99999",
    "InvoiceLine": "999999999",
    "Payment": "999999999",
    "CreditMemo": "999999999",
    "RevenueEntry": "999999999:2026-01",
    "JournalEntry": "999999999",
    "Opportunity": "999999999",
    "Contact": "999999999",
    "Entitlement": "cus_999999.api_calls",
}


@pytest.fixture(scope="module")
def token(product):
    def token(*options: str) -> str:
        scopes = [part for name in SCOPES for part in ("--scope", name)]
        made = product.run("access", "token", "ada", *scopes, "--role", "privacy", *options)
        assert made.returncode == 0, made.stderr
        return f"Bearer {made.stdout.strip()}"

    return token


@pytest.fixture(scope="module")
def unit(token):
    return token("--business-unit", UNIT)


@pytest.fixture(scope="module")
def trails(product):
    """All that hangs together with customers who owe: those of the unit, and the foreign ones."""
    nodes = [edge["node"] for edge in product.data(TRAIL)["customers"]["edges"]]
    own = [node for node in nodes if node["segment"] == UNIT]
    foreign = [node for node in nodes if node["segment"] != UNIT]
    assert own
    assert foreign
    return own, foreign


def ids_in(value) -> set[str]:
    """Return every global id in an answer."""
    match value:
        case dict():
            nested = {found for each in value.values() for found in ids_in(each)}
            return nested | ({value["id"]} if isinstance(value.get("id"), str) else set())
        case list():
            return {found for each in value for found in ids_in(each)}
        case _:
            return set()


def ask(product, credentials, query, variables=None, **headers):
    answer = product.ask(query, variables, authorization=credentials, **headers)
    errors = [
        (each["extensions"]["code"], each["message"], each.get("path"), each["extensions"].get("outcome"))
        for each in answer.get("errors", ())
    ]
    return answer.get("data"), errors


def test_lists_and_their_counts_are_those_of_the_unit(product, unit, token):
    every = "query($in: [Segment!]!) { customers(first: 200, filter: { segment: $in }) { edges { node { id } } } }"
    own = ids_in(product.data(every, {"in": [UNIT]}))

    def listed(credentials, name, condition):
        """Return object → customer, over all pages, and the count."""
        kind, _, fields = LISTS[name]
        query = f"""query($filter: {kind}, $after: String) {{ {name}(first: 100, after: $after, filter: $filter) {{
            totalCount pageInfo {{ hasNextPage endCursor }} edges {{ node {{ {fields} }} }} }} }}"""
        found, after = {}, None
        while True:
            data, errors = ask(product, credentials, query, {"filter": condition, "after": after})
            assert errors == []
            page = data[name]
            nodes = [edge["node"] for edge in page["edges"]]
            found |= {
                node["id"]: (node["customer"] or {}).get("id") if "customer" in node else node["id"] for node in nodes
            }
            if not page["pageInfo"]["hasNextPage"]:
                return found, page["totalCount"]
            after = page["pageInfo"]["endCursor"]

    everybody = token()
    for name, (_, narrow, _) in LISTS.items():
        for condition in (None, narrow):
            whole, total = listed(everybody, name, condition)
            assert len(whole) == total
            found, count = listed(unit, name, condition)
            assert found == {each: customer for each, customer in whole.items() if customer in own}, (name, condition)
            assert 0 < count == len(found) < total


def test_what_is_the_units_own_is_whole(product, unit, trails):
    data, errors = ask(product, unit, TRAIL)
    assert errors == []
    assert [edge["node"] for edge in data["customers"]["edges"]][: len(trails[0])] == trails[0]
    assert {edge["node"]["segment"] for edge in data["customers"]["edges"]} == {UNIT}


def test_a_foreign_object_answers_as_an_absent_one_does(product, unit, trails):
    own, foreign = trails
    by_type: dict[str, set[str]] = {}
    for each in ids_in(foreign):
        by_type.setdefault(parse_global_id(each)[0], set()).add(each)
    assert by_type.keys() >= ABSENT.keys() - {"CreditMemo", "Payment"}, by_type.keys()
    for kind, ids in by_type.items():
        absent = encode_global_id(kind, ABSENT[kind])
        nothing = ask(product, unit, NODE, {"id": absent})
        for each in sorted(ids)[:3]:
            seen = ask(product, unit, NODE, {"id": each})
            replaced = repr(seen).replace(each, absent)
            assert replaced == repr(nothing), (kind, parse_global_id(each))
    mine: dict[str, str] = {parse_global_id(each)[0]: each for each in sorted(ids_in(own))}
    for kind, each in mine.items():
        data, errors = ask(product, unit, NODE, {"id": each})
        assert errors == []
        assert data["node"]["id"] == each, kind


def test_writes_to_what_is_foreign_find_nothing(product, unit, trails):
    foreign = trails[1]
    customer = next(
        each
        for each in foreign
        if each["contracts"]["edges"]
        and each["opportunities"]["edges"]
        and each["invoices"]["edges"]
        and each["erpVersion"]
    )
    invoice = customer["invoices"]["edges"][0]["node"]
    contract = customer["contracts"]["edges"][0]["node"]
    deal = customer["opportunities"]["edges"][0]["node"]
    sku = product.data("{ products(first: 1, active: true) { edges { node { sku } } } }")["products"]["edges"][0][
        "node"
    ]["sku"]
    writes = {
        "updateCustomerProfile": (
            {"customerId": customer["id"], "name": "Mine", "version": customer["version"]},
            "Customer",
        ),
        "updateOpportunity": ({"id": deal["id"], "name": "Mine", "version": deal["version"]}, "Opportunity"),
        "setRenewalStage": ({"contractNumber": contract["number"], "stage": "IN_REVIEW", "version": "1"}, None),
        "closeOpportunity": (
            {"opportunityId": deal["id"], "version": deal["version"], "items": [{"sku": sku, "quantity": 1}]},
            "Opportunity",
        ),
        "setAutoRenew": (
            {"contractId": contract["id"], "autoRenews": False, "version": contract["version"]},
            "Contract",
        ),
        "pauseContract": ({"contractId": contract["id"], "version": contract["version"]}, "Contract"),
        "recordUsage": ({"contractId": contract["id"], "feature": "api_calls", "quantity": "1"}, "Contract"),
        "grantEntitlement": ({"customerId": customer["id"], "feature": "api_calls"}, "Customer"),
        "setCreditHold": (
            {"customerId": customer["id"], "onHold": True, "version": customer["erpVersion"]},
            "Customer",
        ),
        "voidInvoice": ({"invoiceId": invoice["id"], "version": invoice["version"]}, "Invoice"),
        "recordPayment": (
            {"invoiceId": invoice["id"], "amount": "1.00", "version": invoice["version"]},
            "Invoice",
        ),
        "issueCreditMemo": (
            {"invoiceId": invoice["id"], "reason": "none", "version": invoice["version"]},
            "Invoice",
        ),
        "splitCustomer": (
            {"customerId": customer["id"], "version": "1", "records": [{"system": "erp", "externalId": "1"}]},
            "Customer",
        ),
    }
    schema = product.client.post(
        product.graphql,
        json={
            "query": '{ __type(name: "Mutation") { fields { name args { name type { name ofType { name } } } type { fields { name type { kind ofType { kind } } } } } } }'
        },
    ).json()["data"]["__type"]["fields"]
    kinds = {
        field["name"]: next(
            a["type"]["name"] or a["type"]["ofType"]["name"] for a in field["args"] if a["name"] == "input"
        )
        for field in schema
        if any(a["name"] == "input" for a in field["args"])
    }
    for name, (given, kind) in writes.items():
        query = f"mutation($input: {kinds[name]}!) {{ {name}(input: $input) {{ __typename }} }}"
        field = next(
            (each for each in ("customerId", "id", "opportunityId", "contractId", "invoiceId") if each in given),
            "contractNumber",
        )
        local = ABSENT[kind or "Contract"]
        absent = {**given, field: encode_global_id(kind, local) if kind else local}
        seen = ask(product, unit, query, {"input": given}, idempotency_key=f"foreign-{name}")
        nothing = ask(product, unit, query, {"input": absent}, idempotency_key=f"absent-{name}")
        assert seen == nothing, name
        assert seen[0] == {name: None}, seen
        ((code, _, _, outcome),) = seen[1]
        assert (code, outcome) == ("NOT_FOUND", "NOT_APPLIED"), (name, seen)


def test_a_tenant_sees_the_customer_it_is(product, token, overdue_customer):
    (reference,) = {
        each["reference"]
        for each in product.data(
            "query($id: ID!) { customer(id: $id) { identities { reference } } }", {"id": overdue_customer["id"]}
        )["customer"]["identities"]
        if each["reference"]
    }
    query = "{ customers { totalCount edges { node { id } } } contracts { edges { node { customer { id } } } } invoices { edges { node { customer { id } } } } }"
    data, errors = ask(product, token("--tenant", reference), query)
    assert errors == []
    assert data["customers"] == {"totalCount": 1, "edges": [{"node": {"id": overdue_customer["id"]}}]}
    assert ids_in(data["contracts"]) | ids_in(data["invoices"]) == {overdue_customer["id"]}
    nobody, errors = ask(product, token("--tenant", "CUST-9999"), query)
    assert errors == []
    assert nobody == {
        "customers": {"totalCount": 0, "edges": []},
        "contracts": {"edges": []},
        "invoices": {"edges": []},
    }
