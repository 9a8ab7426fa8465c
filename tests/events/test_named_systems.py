"""What the gateway itself is asked names whose fault it is: the system that failed and its team, not the gateway."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest
from running_gateway import running_door

from gateway.access.settings import AccessSettings, KeySettings
from gateway.writes.settings import WorkflowsSettings

SCOPES = ("events:read", "operations:read", "operations:write", "customers:write")
KEYS = {
    name: KeySettings(sha256=sha256(name.encode()).hexdigest(), scopes=SCOPES, **more)
    for name, more in {"free": {}, "confined": {"filters": {"business_unit": ("EMEA",)}}}.items()
}
FAULT = {"class": "UPSTREAM", "system": "identity", "owner": "platform", "retryable": False}


@pytest.fixture
async def door(tmp_path, schemas, serve):
    more = {"access": AccessSettings(keys=KEYS), "workflows": WorkflowsSettings(enabled=True)}
    async with running_door(tmp_path, schemas, serve, **more) as door:
        yield door


async def failing(door, key: str, query: str, **variables) -> dict:
    """Ask what fails in one place; return the error's extensions."""
    response = await door.client.post(
        f"{door.url}/graphql", json={"query": query, "variables": variables}, headers={"x-api-key": key}
    )
    answer = response.json()
    assert list((answer["data"] or {}).values()) == [None], answer
    (error,) = answer["errors"]
    assert error["extensions"].pop("correlationId") == response.headers["x-correlation-id"]
    assert error["path"] == list(answer["data"])
    return error["extensions"]


async def test_a_system_that_fails_is_named_and_not_the_gateway_that_asked_it(door, gid, sign, activated):
    broken = activated(1, customer="c1")
    del broken["data"]["keys"]["contract"]
    body = json.dumps([broken]).encode()
    headers = {"content-type": "application/cloudevents-batch+json", "x-concord-signature": sign(body)}
    await door.client.post(f"{door.url}/events", content=body, headers=headers)
    asked = await door.client.post(
        f"{door.url}/graphql",
        json={"query": "{ deadLetters { edges { node { id } } } }"},
        headers={"x-api-key": "free"},
    )
    (letter,) = [each["node"]["id"] for each in asked.json()["data"]["deadLetters"]["edges"]]
    customer = gid("Customer", "c1")
    door.faults["identity"] = 401
    for key, outcome, query, variables in (
        ("free", None, "query($id: ID!) { node(id: $id) { id } }", {"id": customer}),
        (
            "free",
            "NOT_APPLIED",
            "mutation($id: ID!) { syncCustomer(input: {customerId: $id}, dryRun: true) { plan { step } } }",
            {"id": customer},
        ),
        (
            "confined",
            "NOT_APPLIED",
            "mutation($id: ID!) { runReconciliation(input: {customerId: $id}) { run { id } } }",
            {"id": customer},
        ),
        (
            "confined",
            "NOT_APPLIED",
            'mutation($id: ID!) { discardDeadLetter(input: {id: $id, reason: "r"}) { deadLetter { id } } }',
            {"id": letter},
        ),
    ):
        told = await failing(door, key, query, **variables)
        wanted = {"code": "SYSTEM_AUTH_FAILED", **FAULT} | ({} if outcome is None else {"outcome": outcome})
        assert told == wanted, query
    # What is the gateway's own fault, or the caller's, stays so.
    for query in (
        'mutation { discardDeadLetter(input: {id: "RGVhZExldHRlcjo5OTk", reason: "r"}) { deadLetter { id } } }',
        'mutation { retryWorkflow(id: "V29ya2Zsb3c6bm9uZQ") { workflow { id } } }',
        'mutation { acceptDrift(input: {id: "RHJpZnQ6bm9uZQ", reason: "r"}) { drift { id } } }',
    ):
        told = await failing(door, "free", query)
        assert (told["code"], told["system"], told["outcome"]) == ("NOT_FOUND", "gateway", "NOT_APPLIED"), query
