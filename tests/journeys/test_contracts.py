"""Each consumer has a graph of its own: what it may ask, what it learns of the rest, and which documents it may send."""

from __future__ import annotations

import json
from hashlib import sha256

from websockets.sync.client import connect


def post(product, consumer, headers=None, **body):
    path = f"/{consumer}" if consumer else ""
    response = product.client.post(f"{product.graphql}{path}", json=body, headers=headers or {})
    answer = response.json()
    return response.status_code, answer.get("data"), [each["extensions"]["code"] for each in answer.get("errors", ())]


def types_of(product, consumer) -> dict[str, set[str]]:
    query = "{ __schema { types { name fields { name } } mutationType { name } subscriptionType { name } } }"
    status, data, errors = post(product, consumer, query=query)
    assert (status, errors) == (200, [])
    return {each["name"]: {field["name"] for field in each["fields"] or ()} for each in data["__schema"]["types"]}


def test_the_portal_has_the_customers_and_not_the_ledger(product, overdue_customer):
    types = types_of(product, "portal")
    assert {"Customer", "Contract", "Invoice", "Opportunity", "Workflow", "LifecycleEvent"} <= set(types)
    hidden = {"JournalEntry", "RevenueEntry", "RevenueEntryConnection", "AccountingPeriod", "DeadLetter", "Webhook"}
    assert hidden.isdisjoint(types)
    assert "revenueSchedule" not in types["Contract"]
    asked = {"query": product.document("customer_view"), "variables": {"id": overdue_customer["id"]}}
    assert post(product, "portal", **asked) == post(product, "", **asked)
    assert post(product, "portal", query="{ deadLetters { totalCount } }")[0::2] == (400, ["GRAPHQL_VALIDATION_FAILED"])


def test_support_sends_names_and_hashes_and_no_text(product, overdue_customer):
    text = product.document("entitlement_decision")
    variables = {"customerId": overdue_customer["id"], "feature": "api_calls"}
    whole = post(product, "", query=text, variables=variables)
    assert whole[1]["customer"]["name"]
    digest = sha256(text.encode()).hexdigest()
    named = {"concord": {"document": "entitlement_decision"}}
    hashed = {"persistedQuery": {"version": 1, "sha256Hash": digest}}
    for extensions in (named, hashed):
        assert post(product, "support", extensions=extensions, variables=variables) == whole
    refused = (400, None, ["PERSISTED_QUERY_ID_REQUIRED"])
    for query in (text, "{ __typename }", "{ __schema { types { name } } }"):
        assert post(product, "support", query=query, variables=variables) == refused
    assert post(product, "support", query=text, extensions=hashed, variables=variables) == refused
    for unknown in (
        {"concord": {"document": "customer_view"}},
        {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}},
    ):
        assert post(product, "support", extensions=unknown) == (200, None, ["PERSISTED_QUERY_NOT_FOUND"])
    with connect(f"{product.websocket}/support", subprotocols=["graphql-transport-ws"]) as connection:
        connection.send('{"type": "connection_init"}')
        assert json.loads(connection.recv(30)) == {"type": "connection_ack"}
        connection.send(
            json.dumps({"type": "subscribe", "id": "1", "payload": {"query": text, "variables": variables}})
        )
        message = json.loads(connection.recv(30))
        assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", refused[2][0])
        payload = {"extensions": named, "variables": variables}
        connection.send(json.dumps({"type": "subscribe", "id": "2", "payload": payload}))
        message = json.loads(connection.recv(30))
        assert (message["type"], message["payload"]["data"]) == ("next", whole[1])


def test_analytics_reads_the_whole_trail_and_writes_nothing(product):
    types = types_of(product, "analytics")
    assert {"RevenueEntry", "JournalEntry", "BilledLine", "AccountingPeriod"} <= set(types)
    assert {"Mutation", "Subscription", "Contact", "ContactConnection", "Workflow"}.isdisjoint(types)
    assert {"contacts", "owner"}.isdisjoint(types["Customer"])
    status, data, errors = post(
        product, "analytics", extensions={"concord": {"document": "revenue_lineage"}}, variables={"first": 5}
    )
    assert (status, errors) == (200, [])
    assert len(data["contracts"]["edges"]) == 5
    write = 'mutation { setAutoRenew(input: { contractId: "x", autoRenews: true, version: "1" }) { __typename } }'
    assert post(product, "analytics", query=write)[0::2] == (400, ["GRAPHQL_VALIDATION_FAILED"])
    deep = "{ contracts(first: 200) { edges { node { invoices(first: 200) { edges { node { lines(first: 200) { totalCount } } } } } } } }"
    assert post(product, "analytics", query=deep)[0::2] == (400, ["COST_ESTIMATED_TOO_EXPENSIVE"])


def test_a_partner_sends_what_was_agreed_and_learns_of_nothing_else(product):
    text = product.document("partner_pipeline")
    status, data, errors = post(product, "partner", query=text, variables={"first": 3})
    assert (status, errors) == (200, [])
    assert len(data["opportunities"]["edges"]) == 3
    for other in (
        text + " ",
        "{ opportunities(first: 1) { totalCount } }",
        "{ __schema { types { name } } }",
        "{ nope }",
    ):
        assert post(product, "partner", query=other) == (400, None, ["QUERY_NOT_IN_SAFELIST"])


def test_credentials_of_one_consumer_are_good_nowhere_else(product):
    made = product.run(
        "access", "token", "acme", "--scope", "pipeline:read", "--scope", "customers:read", "--contract", "partner"
    )
    assert made.returncode == 0, made.stderr
    headers = {"authorization": f"Bearer {made.stdout.strip()}"}
    asked = {"query": product.document("partner_pipeline"), "variables": {"first": 1}}
    status, data, errors = post(product, "partner", headers, **asked)
    assert (status, errors) == (200, [])
    assert data["opportunities"]["totalCount"] > 0
    for elsewhere in ("", "portal", "analytics"):
        assert post(product, elsewhere, headers, **asked) == (403, None, ["FORBIDDEN"])
