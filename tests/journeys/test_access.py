"""The product under its own guards: each token sees what its scopes grant, through whichever system it comes."""

from __future__ import annotations

import pytest

DENIED = "UNAUTHORIZED_FIELD_OR_TYPE"


@pytest.fixture(scope="module")
def token(product):
    def token(*options: str) -> str:
        made = product.run("access", "token", "ada", *options)
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()

    return token


def scopes(*names: str) -> list[str]:
    return [part for name in names for part in ("--scope", name)]


def ask(product, token, query, **variables):
    answer = product.ask(query, variables, authorization=f"Bearer {token}")
    return answer.get("data"), [
        (error["extensions"]["code"], ".".join(map(str, error["path"]))) for error in answer.get("errors", ())
    ]


def test_a_support_agent_sees_customers_and_not_their_money(product, token, overdue_customer):
    query = """query($id: ID!) { customer(id: $id) {
      name legalName creditHold creditLimit { amount } mrr { amount } invoices { totalCount edges { node { number } } } } }"""
    data, errors = ask(product, token(*scopes("customers:read")), query, id=overdue_customer["id"])
    customer = data["customer"]
    assert customer["name"]
    assert customer["legalName"]
    assert isinstance(customer["creditHold"], bool)
    assert (customer["creditLimit"], customer["mrr"]) == (None, None)
    assert {code for code, _ in errors} == {DENIED}
    assert {"customer.creditLimit", "customer.mrr"} <= {path for _, path in errors}
    assert customer["invoices"] is None
    assert "customer.invoices.edges.0.node" in {path for _, path in errors}
    everything, none = ask(
        product,
        token(*scopes("customers:read", "credit:read", "revenue:read", "invoices:read")),
        query,
        id=overdue_customer["id"],
    )
    assert none == []
    assert everything["customer"]["invoices"]["edges"][0]["node"]["number"]


def test_what_is_guarded_is_in_no_plan(product, token, overdue_customer):
    query = "query($id: ID!) { customer(id: $id) { id creditLimit { amount } mrr { amount } } }"
    asked = {"query": query, "variables": {"id": overdue_customer["id"]}, "extensions": {"concord": {"plan": True}}}
    headers = {"authorization": f"Bearer {token(*scopes('customers:read'))}"}
    answer = product.client.post(product.graphql, json=asked, headers=headers).json()
    assert answer["data"] == {"customer": {"id": overdue_customer["id"], "creditLimit": None, "mrr": None}}
    assert len(answer["errors"]) == 2
    plan = str(answer["extensions"]["concord"]["plan"])
    assert "identity" in plan
    assert not any(each in plan for each in ("erp", "billing", "creditLimit", "mrr"))


def test_personal_data_is_masked_for_roles_that_may_not_read_it(product, token):
    query = "{ customers(first: 20) { edges { node { contacts { edges { node { name email } } } } } } }"
    granted = scopes("customers:read", "contacts:read")
    shown = []
    for role in ((), ("--role", "privacy")):
        data, errors = ask(product, token(*granted, *role), query)
        assert errors == []
        nodes = [
            edge["node"] for customer in data["customers"]["edges"] for edge in customer["node"]["contacts"]["edges"]
        ]
        shown.append({node["email"] for node in nodes if node["email"]})
    masked, plain = shown
    assert masked == {"•••"}
    assert all("@" in email for email in plain)
    assert plain


def test_a_foreign_object_looks_like_none(product, token, overdue_customer):
    query = "query($id: ID!) { node(id: $id) { __typename id } }"
    nobody = token(*scopes("events:read"))
    data, errors = ask(product, nobody, query, id=overdue_customer["id"])
    assert (data, errors) == ({"node": None}, [(DENIED, "node")])


def test_writes_need_their_scope_and_are_not_sent_without_it(product, token, overdue_customer):
    write = """mutation($id: ID!) { setCreditHold(input: { customerId: $id, onHold: true, version: "any" }) {
      customer { creditHold } } }"""
    answer = product.ask(
        write,
        {"id": overdue_customer["id"]},
        authorization=f"Bearer {token(*scopes('customers:read', 'credit:read'))}",
        idempotency_key="never-sent",
    )
    (error,) = answer["errors"]
    assert (error["path"], error["extensions"]["code"], error["extensions"]["outcome"]) == (
        ["setCreditHold"],
        DENIED,
        "NOT_APPLIED",
    )
    assert answer["data"] == {"setCreditHold": None}


def test_introspection_tells_each_caller_what_is_theirs(product, token):
    query = '{ __schema { types { name } } customer: __type(name: "Customer") { fields { name } } }'
    data, errors = ask(product, token(*scopes("customers:read")), query)
    assert errors == []
    names = {each["name"] for each in data["__schema"]["types"]}
    assert {"Customer", "Query"} <= names
    assert names.isdisjoint({"Invoice", "JournalEntry", "Opportunity", "DeadLetter"})
    fields = {each["name"] for each in data["customer"]["fields"]}
    assert "legalName" in fields
    assert fields.isdisjoint({"creditLimit", "mrr", "arr"})


def test_subgraphs_answer_nobody_but_the_gateway(product):
    for name in ("identity", "crm", "billing", "erp"):
        response = product.client.post(
            f"http://127.0.0.1:{product.ports[name]}/graphql", json={"query": "{ __typename }"}
        )
        assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (401, "UNAUTHENTICATED")


def test_to_find_by_a_figure_demands_what_reading_it_does(product, token):
    order = "{ customers(first: 2, orderBy: { field: OVERDUE_AMOUNT, direction: DESC }) { edges { node { id } } } }"
    narrow = "query($is: Boolean) { customers(first: 2, filter: { overdue: $is }) { totalCount } }"
    reader, controller = token(*scopes("customers:read")), token(*scopes("customers:read", "credit:read"))
    for query, variables in ((order, {}), (narrow, {"is": True}), (narrow, {"is": False})):
        assert ask(product, reader, query, **variables) == ({"customers": None}, [("FORBIDDEN", "customers")])
        data, errors = ask(product, controller, query, **variables)
        assert (bool(data["customers"]), errors) == (True, [])
    data, errors = ask(product, reader, narrow, **{"is": None})
    assert (data["customers"]["totalCount"] > 100, errors) == (True, [])
