"""Workflows, drift and runs of other customers look to a confined caller as if they were not there."""

from __future__ import annotations

import re
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from subgraphs.kit.global_id import encode_global_id

SCOPES = sorted(
    set(re.findall(r'"([a-z]+:[a-z]+)"', (Path(__file__).parents[2] / "schema/supergraph.graphql").read_text()))
)
UNIT = "ENTERPRISE"
CUSTOMERS = "{ customers(first: 200, filter: { status: [ACTIVE] }) { edges { node { id segment } } } }"
SYNC = "mutation($id: ID!) { syncCustomer(input: { customerId: $id }, waitMs: 20000) { workflow { id } } }"
ENDED = "query($id: ID!) { workflow(id: $id) { status customer { id } } }"
LIST = """query($first: Int, $after: String, $last: Int, $before: String) {
  workflows(first: $first, after: $after, last: $last, before: $before, filter: { kinds: ["customer-sync"] }) {
    totalCount pageInfo { hasNextPage hasPreviousPage endCursor startCursor } edges { node { id customer { id } } } } }"""
RUN = """mutation($input: RunReconciliationInput!) { runReconciliation(input: $input, waitMs: 25000) {
  run { id status customer { id } } } }"""
DRIFTS = """query($first: Int, $after: String) { drifts(first: $first, after: $after, filter: { kinds: [CUSTOMER] }) {
  totalCount pageInfo { hasNextPage endCursor } edges { node { id customer { id } } } } }"""
SINGLES = {
    "Workflow": ("query($id: ID!) { workflow(id: $id) { id status } node(id: $id) { id } nodes(ids: [$id]) { id } }", "wf-none"),
    "Drift": ("query($id: ID!) { drift(id: $id) { id status } node(id: $id) { id } }", "dr-none"),
}  # fmt: skip
DECISIONS = {
    "retryWorkflow": "mutation($id: ID!) { retryWorkflow(id: $id) { workflow { id } } }",
    "compensateWorkflow": "mutation($id: ID!) { compensateWorkflow(id: $id) { workflow { id } } }",
    "resolveException": 'mutation($id: ID!) { resolveException(id: $id, note: "n") { workflow { id } } }',
    "approveWorkflow": "mutation($id: ID!) { approveWorkflow(id: $id) { workflow { id } } }",
    "rejectWorkflow": 'mutation($id: ID!) { rejectWorkflow(id: $id, note: "n") { workflow { id } } }',
}
ABOUT_DRIFT = {
    "acceptDrift": 'mutation($id: ID!) { acceptDrift(input: { id: $id, reason: "r" }) { drift { id } } }',
    "mendDrift": "mutation($id: ID!) { mendDrift(input: { id: $id }) { workflow { id } } }",
}


@pytest.fixture(scope="module")
def confined(product):
    """A caller who sees one business unit."""
    scopes = [part for name in SCOPES for part in ("--scope", name)]
    made = product.run("access", "token", "ada", *scopes, "--business-unit", UNIT)
    assert made.returncode == 0, made.stderr
    return {"authorization": f"Bearer {made.stdout.strip()}"}


@pytest.fixture(scope="module")
def customers(product) -> tuple[list[str], list[str]]:
    """Of the unit, and foreign ones."""
    nodes = [edge["node"] for edge in product.data(CUSTOMERS)["customers"]["edges"]]
    own = [each["id"] for each in nodes if each["segment"] == UNIT]
    foreign = [each["id"] for each in nodes if each["segment"] not in (UNIT, None)]
    assert len(own) >= 2
    assert len(foreign) >= 2
    return own, foreign


@pytest.fixture(scope="module")
def workflows(product, customers) -> tuple[list[str], list[str]]:
    """Workflows about them, begun by somebody who is not confined; ended. The newest last."""
    begun: tuple[list[str], list[str]] = ([], [])
    for number in range(2):
        for place, some in enumerate(customers):
            headers = {"Idempotency_Key": uuid.uuid4().hex}
            answer = product.ask(SYNC, {"id": some[number]}, **headers)
            begun[place].append(answer["data"]["syncCustomer"]["workflow"]["id"])
    until = time.monotonic() + 120
    for each in (*begun[0], *begun[1]):
        while not is_over(product.data(ENDED, {"id": each})["workflow"]):
            assert time.monotonic() < until
            time.sleep(0.1)
    return begun


def is_over(found: dict[str, Any]) -> bool:
    return found["status"] not in ("RUNNING", "COMPENSATING") and found["customer"] is not None


def asked(product, headers, query, **variables) -> tuple[Any, Any]:
    answer = product.ask(query, variables, **headers)
    told = [(each["extensions"]["code"], each["message"], each["path"]) for each in answer.get("errors", ())]
    return answer.get("data"), told


def page(product, headers, **window) -> dict[str, Any]:
    return product.data(LIST, window, **headers)["workflows"]


def test_lists_of_workflows_are_those_of_the_unit_from_both_ends(product, confined, customers, workflows):
    own, foreign = workflows
    found = page(product, confined, first=200)
    ids = [edge["node"]["id"] for edge in found["edges"]]
    assert {*own} <= {*ids}
    assert not {*foreign} & {*ids}
    assert {edge["node"]["customer"]["id"] for edge in found["edges"]} <= {*customers[0]}
    assert (found["totalCount"], found["pageInfo"]["hasNextPage"]) == (None, False)
    first = page(product, confined, first=1)
    assert ([edge["node"]["id"] for edge in first["edges"]], first["pageInfo"]["hasNextPage"]) == (ids[:1], True)
    rest = page(product, confined, first=1, after=first["pageInfo"]["endCursor"])
    assert [edge["node"]["id"] for edge in rest["edges"]] == ids[1:2]
    last = page(product, confined, last=1)
    assert [edge["node"]["id"] for edge in last["edges"]] == ids[-1:]
    assert last["pageInfo"]["hasPreviousPage"] is True
    before = page(product, confined, last=1, before=last["pageInfo"]["startCursor"])
    assert [edge["node"]["id"] for edge in before["edges"]] == ids[-2:-1]
    everybody = page(product, {}, first=200)
    assert {*own, *foreign} <= {edge["node"]["id"] for edge in everybody["edges"]}
    assert everybody["totalCount"] >= len(everybody["edges"])


def test_a_foreign_workflow_answers_as_one_that_never_was(product, confined, workflows):
    (own, *_), (foreign, *_) = workflows
    query, local = SINGLES["Workflow"]
    absent = encode_global_id("Workflow", local)
    assert asked(product, confined, query, id=foreign) == asked(product, confined, query, id=absent)
    assert asked(product, confined, query, id=foreign)[0] == {"workflow": None, "node": None, "nodes": [None]}
    assert asked(product, confined, query, id=own)[0]["workflow"]["id"] == own
    for name, decide in DECISIONS.items():
        seen = asked(product, confined, decide, id=foreign)
        assert seen == asked(product, confined, decide, id=absent), name
        assert ([code for code, _, _ in seen[1]], seen[0]) == (["NOT_FOUND"], {name: None}), name
    assert product.data(query, {"id": foreign})["workflow"]["status"] in ("COMPLETED", "NEEDS_ATTENTION", "COMPENSATED")


def test_foreign_drift_and_runs_answer_as_ones_that_never_were(product, confined, customers):
    own, foreign = customers
    run = product.data(RUN, {"input": {"kinds": ["CUSTOMER"]}})["runReconciliation"]["run"]
    until = time.monotonic() + 120
    look = "query($id: ID!) { reconciliationRun(id: $id) { status } }"
    while product.data(look, {"id": run["id"]})["reconciliationRun"]["status"] == "RUNNING":
        assert time.monotonic() < until
        time.sleep(0.2)
    everything = product.data(DRIFTS, {"first": 200})["drifts"]["edges"]
    unit = {edge["node"]["id"] for edge in product.data(CUSTOMERS, **confined)["customers"]["edges"]}
    seen = product.data(DRIFTS, {"first": 200}, **confined)["drifts"]
    about = [edge["node"]["customer"]["id"] for edge in seen["edges"]]
    whole = {edge["node"]["id"] for edge in everything if edge["node"]["customer"]["id"] in unit}
    assert whole <= {edge["node"]["id"] for edge in seen["edges"]}
    assert (seen["totalCount"], [each for each in about if each in foreign]) == (None, [])
    theirs = next(edge["node"]["id"] for edge in everything if edge["node"]["customer"]["id"] in foreign)
    query, local = SINGLES["Drift"]
    absent = encode_global_id("Drift", local)
    assert asked(product, confined, query, id=theirs) == asked(product, confined, query, id=absent)
    for name, decide in ABOUT_DRIFT.items():
        answered = asked(product, confined, decide, id=theirs)
        assert answered == asked(product, confined, decide, id=absent), name
        assert [code for code, _, _ in answered[1]] == ["NOT_FOUND"], name
    # Runs: of everything, and of a foreign customer, as of none.
    for hidden in (run["id"], "run-none"):
        assert asked(product, confined, look, id=hidden) == ({"reconciliationRun": None}, [])
    begun = [
        asked(product, confined, RUN, input={"customerId": each})
        for each in (foreign[0], encode_global_id("Customer", "none"))
    ]
    assert begun[0] == begun[1]
    assert [code for code, _, _ in begun[0][1]] == ["NOT_FOUND"]
    contract = encode_global_id("Contract", "CON-2019-9999")
    theirs = product.data(
        "query($c: ID!) { contracts(first: 1, filter: { customerId: $c }) { edges { node { id } } } }",
        {"c": foreign[0]},
    )
    for each in (contract, *(edge["node"]["id"] for edge in theirs["contracts"]["edges"])):
        assert [code for code, _, _ in asked(product, confined, RUN, input={"contractId": each})[1]] == ["NOT_FOUND"]
    mine = asked(product, confined, RUN, input={"customerId": own[0]})[0]["runReconciliation"]["run"]
    assert mine["customer"] == {"id": own[0]}
    listed = "{ reconciliationRuns(first: 50) { edges { node { id customer { id } } } } }"
    runs = product.data(listed, **confined)["reconciliationRuns"]["edges"]
    assert mine["id"] in {edge["node"]["id"] for edge in runs}
    assert {edge["node"]["customer"]["id"] for edge in runs} <= {*unit}


def test_who_asks_sees_the_own_workflow_before_anybody_knows_its_customer(product, confined, customers):
    """What is refused at the first look names no customer, and yet its caller is told what became of it."""
    answer = product.ask(
        'mutation { distributeProduct(input: { sku: "NO-SUCH-SKU" }) { workflow { id } } }', **confined
    )  # fmt: skip
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "NOT_FOUND"
    begun = product.ask(
        'mutation { distributeProduct(input: { sku: "SSO" }, waitMs: 20000) { workflow { id } } }', **confined
    )
    workflow = begun["data"]["distributeProduct"]["workflow"]["id"]
    assert product.data("query($id: ID!) { workflow(id: $id) { id } }", {"id": workflow}, **confined) == {
        "workflow": {"id": workflow}
    }
    scopes = [part for name in SCOPES for part in ("--scope", name)]
    made = product.run("access", "token", "bob", *scopes, "--business-unit", UNIT)
    other = {"authorization": f"Bearer {made.stdout.strip()}"}
    assert product.data("query($id: ID!) { workflow(id: $id) { id } }", {"id": workflow}, **other) == {"workflow": None}


def test_drift_of_a_system_in_another_region_is_not_there(product):
    """The ERP's data lives in the US: who is confined to the EU hears nothing of what it holds, by no way."""
    ran = product.data(RUN, {"input": {}})["runReconciliation"]["run"]
    listed = """query($a: String) { drifts(first: 200, after: $a) { pageInfo { endCursor hasNextPage }
      edges { node { id owner system } } } }"""

    def drifts(**headers: str) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        after, more = None, True
        while more:
            answer = product.data(listed, {"a": after}, **headers)["drifts"]
            found |= {edge["node"]["id"]: {edge["node"]["owner"], edge["node"]["system"]} for edge in answer["edges"]}
            after, more = answer["pageInfo"]["endCursor"], answer["pageInfo"]["hasNextPage"]
        return found

    def of_region(region: str) -> dict[str, str]:
        scopes = [part for name in SCOPES for part in ("--scope", name)]
        made = product.run("access", "token", "ada", *scopes, "--region", region)
        return {"authorization": f"Bearer {made.stdout.strip()}"}

    everybody = drifts()
    american = {each for each, systems in everybody.items() if "erp" in systems}
    assert ran["status"] in ("COMPLETED", "PARTIAL")
    assert american
    assert set(drifts(**of_region("EU"))) == set(everybody) - american
    assert set(drifts(**of_region("US"))) == set(everybody)
    hidden = min(american)
    query, local = SINGLES["Drift"]
    eu = of_region("EU")
    answered = asked(product, eu, query, id=hidden)
    assert answered == asked(product, eu, query, id=encode_global_id("Drift", local))
    for name, decide in ABOUT_DRIFT.items():
        refused = asked(product, eu, decide, id=hidden)
        assert refused == asked(product, eu, decide, id=encode_global_id("Drift", local)), name
