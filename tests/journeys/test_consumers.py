"""The four consumers' operations, as they ship in schema/documents, asked by a client that nobody here wrote."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from gql import Client, gql
from gql.transport.httpx import HTTPXTransport


@pytest.fixture
def ask(product):
    def run(name: str, **variables: Any) -> dict[str, Any]:
        client = Client(transport=HTTPXTransport(url=product.graphql, timeout=40), fetch_schema_from_transport=True)
        query = gql(product.document(name))
        query.variable_values = variables
        return client.execute(query)

    return run


def amount(money: dict[str, str] | None) -> Decimal:
    assert money is not None
    return Decimal(money["amount"])


def test_the_portal_sees_one_customer_of_three_systems(ask, product, overdue_customer):
    listed = "query($ids: [ID!]) { customers(filter: { ids: $ids }) { edges { node { name } } } }"
    named = product.data(listed, {"ids": [overdue_customer["id"]]})["customers"]["edges"][0]["node"]["name"]
    customer = ask("customer_view", id=overdue_customer["id"])["customer"]
    assert {each["system"] for each in customer["identities"]} == {"crm", "billing", "erp"}
    assert customer["name"] == named
    assert customer["owner"]["name"]
    assert customer["contacts"]["edges"]
    contracts = [edge["node"] for edge in customer["contracts"]["edges"]]
    active = [contract for contract in contracts if contract["status"] == "ACTIVE"]
    assert sum(amount(contract["mrr"]) for contract in active) == amount(customer["mrr"])
    assert amount(customer["arr"]) == 12 * amount(customer["mrr"])
    assert customer["legalName"]
    assert 0 < amount(customer["overdueBalance"]) <= amount(customer["openBalance"])
    assert all(amount(contract["recognizedToDate"]) <= amount(contract["billedToDate"]) for contract in contracts)


def test_support_reads_a_decision_with_its_reason(ask, product, overdue_customer):
    answer = ask("entitlement_decision", customerId=overdue_customer["id"], feature="seats")["customer"]
    decision = answer["entitlement"]["decision"]
    assert decision["creditChecked"] is True
    assert decision["allowed"] is (decision["reason"] == "ALLOWED")
    assert decision["explanation"].endswith(".")
    unknown = ask("entitlement_decision", customerId=overdue_customer["id"], feature="teleport")
    assert unknown["customer"]["entitlement"] is None


def test_analytics_follows_revenue_page_by_page_to_the_ledger_and_gaps_are_named(ask):
    contracts: dict[str, dict[str, Any]] = {}
    after, pages = None, 0
    while True:
        page = ask("revenue_lineage", first=25, after=after)["contracts"]
        contracts |= {edge["node"]["number"]: edge["node"] for edge in page["edges"]}
        pages += 1
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert pages > 3
    assert 25 * (pages - 1) < len(contracts) <= 25 * pages
    assert sorted(contracts) == list(contracts)
    lines = [edge["node"] for contract in contracts.values() for edge in contract["billedLines"]["edges"]]
    codes = {gap["code"] for line in lines for gap in line["gaps"]}
    assert "NOT_INVOICED" in codes
    whole = [line for line in lines if not line["gaps"]]
    assert whole
    for line in whole:
        invoiced = line["invoiceLine"]
        assert invoiced["invoice"]["status"] == "PAID"
        entries = [edge["node"] for edge in invoiced["revenueEntries"]["edges"]]
        assert sum(amount(entry["amount"]) for entry in entries) == amount(invoiced["amount"])
        for entry in entries:
            assert (entry["journalEntry"] is not None) == (entry["status"] == "RECOGNIZED")
    for line in lines:
        if any(gap["code"] == "NOT_INVOICED" for gap in line["gaps"]):
            assert line["invoiceLine"] is None
    assert all(
        (contract["opportunity"] is None) == (contract["originGap"] is not None) for contract in contracts.values()
    )


def test_each_systems_hierarchy_stands_beside_the_others(product):
    """The CRM's is the graph's own, and every other one says how it differs from it, and for whom."""
    query = """{ hierarchyDifferences(first: 50) { totalCount edges { node { id parent { id }
      hierarchies { system parentExternalId parent { id hierarchies { system children { id } } } difference } } } } }"""
    found = product.data(query)["hierarchyDifferences"]
    customers = [edge["node"] for edge in found["edges"]]
    assert found["totalCount"] == len(customers)
    kinds = set()
    for customer in customers:
        beside = {each["system"]: each for each in customer["hierarchies"]}
        assert beside["crm"]["difference"] is None
        assert (
            beside["crm"]["parent"] == customer["parent"] or beside["crm"]["parent"]["id"] == customer["parent"]["id"]
        )
        assert {each["difference"] for each in beside.values()} > {None}
        kinds |= {(system, each["difference"]) for system, each in beside.items()}
        for system, each in beside.items():
            above = each["parent"]["hierarchies"] if each["parent"] else []
            below = [child for other in above if other["system"] == system for child in other["children"]]
            assert each["parent"] is None or {"id": customer["id"]} in below
    assert kinds >= {("billing", "MISSING"), ("erp", "OTHER"), ("erp", "EXTRA")}


def test_a_customer_that_only_some_systems_have_answers_with_what_they_say(ask, product):
    """A prospect is the CRM's alone; some customers signed up without sales, and some were never carried over to the ERP."""
    query = """query($a: String) { customers(first: 100, after: $a) { pageInfo { endCursor hasNextPage }
      edges { node { id identities { system } } } } }"""
    found: dict[frozenset[str], str] = {}
    after, more = None, True
    while more:
        page = product.data(query, {"a": after})["customers"]
        for edge in page["edges"]:
            systems = frozenset(each["system"] for each in edge["node"]["identities"])
            found.setdefault(systems, edge["node"]["id"])
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    some = {systems: customer for systems, customer in found.items() if len(systems) < 3}
    assert set(some) >= {frozenset({"crm"}), frozenset({"billing", "erp"}), frozenset({"crm", "billing"})}
    says = {"crm": ("name", "segment", "contacts"), "billing": ("mrr", "arr"), "erp": ("legalName", "invoices")}
    for systems, customer_id in some.items():
        answer = product.ask(product.document("customer_view"), {"id": customer_id})
        assert "errors" not in answer
        customer = answer["data"]["customer"]
        assert {each["system"] for each in customer["identities"]} == systems
        silent = {name for name in says if all(customer[field] is None for field in says[name])}
        assert silent == says.keys() - systems, customer
