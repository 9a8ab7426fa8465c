"""Who sees a field masked sees its values masked on other ways too: in plans, steps, evidence, drift, dead letters and events."""

from __future__ import annotations

import asyncio
import base64
import json
from hashlib import sha256

import pytest
from running_gateway import running_door
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from gateway.access.settings import AccessSettings, KeySettings
from gateway.events.settings import WebhookSettings
from gateway.writes.reconciliation.model import DriftKind, Finding, Place
from gateway.writes.reconciliation.store import DriftStore
from gateway.writes.settings import WorkflowsSettings
from gateway.writes.workflows.database import open_database

MASK = "•••"
CANARY = "canary@example.org"
FEED_KEY = "analytics-key-of-16+"
SCOPES = ("events:read", "operations:read", "operations:write", "customers:write")
KEYS = {
    name: KeySettings(sha256=sha256(name.encode()).hexdigest(), scopes=SCOPES, roles=roles)
    for name, roles in {"sales": ("sales",), "none": (), "privacy": ("privacy",)}.items()
}
ONBOARD = """mutation($dry: Boolean!) { onboardCustomer(
  input: {name: "Acme", country: "DE", city: "Bonn", email: "canary@example.org"}, dryRun: $dry, waitMs: 20000
) { plan { step changes { field from to } } workflow { id } } }"""
WORKFLOW = """query($id: ID!) { workflow(id: $id) { status note error { message } steps { name error { message } }
  evidence { action question answer } } }"""
DRIFTS = "{ drifts { edges { node { field ownerValue copyValue difference } } } }"
LETTERS = "{ deadLetters { edges { node { body } } } }"
EVENTS = "{ events(first: 100) { edges { node { type changes { field from to } } } } }"


@pytest.fixture
async def world(tmp_path, schemas, serve):
    """A gateway with workflows over systems that quote what they refuse, and a webhook; what the hook was told."""
    told = []

    async def hooked(request):
        told.append((await request.body()).decode())
        return PlainTextResponse("")

    async def refuse(request):
        await request.body()
        error = {"message": f"{CANARY} is taken.", "extensions": {"code": "BAD_USER_INPUT"}}
        return JSONResponse({"data": None, "errors": [error]})

    app = Starlette(routes=[Route("/hook", hooked, methods=["POST"]), Route("/graphql", refuse, methods=["POST"])])
    async with serve(app) as url:
        secret = "whsec_" + base64.b64encode(bytes(range(32))).decode()
        more = {
            "access": AccessSettings(keys=KEYS, classes={"PII": ("privacy",)}),
            "workflows": WorkflowsSettings(enabled=True),
            "events": {
                "feed_keys": {"analytics": FEED_KEY},
                "egress_hosts": ("127.0.0.1",),
                "egress_networks": ("127.0.0.0/8",),
            },
            "webhooks": {"crm": WebhookSettings(url=f"{url}/hook", secret=secret)},
            "others": {"crm": f"{url}/graphql"},
        }
        async with running_door(tmp_path, schemas, serve, **more) as door:
            yield door, told


async def ask(door, key: str, query: str, **variables):
    body = {"query": query, "variables": variables}
    response = await door.client.post(f"{door.url}/graphql", json=body, headers={"x-api-key": key})
    assert response.json().get("data"), response.text
    return response.json()["data"], response.text


async def shown_and_masked(door, query: str, masks: int, **variables) -> None:
    """Whoever has the role reads the value; for whoever has not, it is masked so many times and nowhere else."""
    _, shown = await ask(door, "privacy", query, **variables)
    assert CANARY in shown
    assert MASK not in shown
    for key in ("sales", "none"):
        _, text = await ask(door, key, query, **variables)
        assert CANARY not in text, text
        assert text.count(MASK) == masks, text


async def test_workflows_tell_no_classified_value_to_whom_the_field_is_masked(world):
    door, _ = world
    await shown_and_masked(door, ONBOARD, 2, dry=True)
    begun, _ = await ask(door, "privacy", ONBOARD, dry=False)
    workflow = begun["onboardCustomer"]["workflow"]["id"]
    async with asyncio.timeout(60):
        while (await ask(door, "privacy", WORKFLOW, id=workflow))[0]["workflow"]["status"] == "RUNNING":  # noqa: ASYNC110 - over the door
            await asyncio.sleep(0.1)
    _, text = await ask(door, "privacy", WORKFLOW, id=workflow)
    assert f"{CANARY} is taken." in text
    await shown_and_masked(door, WORKFLOW, text.count(CANARY), id=workflow)


async def test_drift_and_its_events_tell_no_classified_value(world, tmp_path, gid):
    door, told = world
    database = open_database(tmp_path / "gateway" / "workflow-records.sqlite", None)
    place = Place(kind=DriftKind.CUSTOMER, subject=gid("Customer", "c1"), field="email", system="billing")
    DriftStore(database).apply(
        [Finding(place=place, owner="crm", customer=place.subject, owner_value=CANARY, copy_value=f"other {CANARY}")]
    )
    database.close()
    await shown_and_masked(door, DRIFTS, 2)
    feed = {"authorization": f"Bearer {FEED_KEY}"}
    async with asyncio.timeout(60):
        while not any("drift.detected" in each for each in told):  # noqa: ASYNC110 - the hook is told when it is told
            await asyncio.sleep(0.05)
    for accept in ("application/x-ndjson", "text/event-stream"):
        params = {"after": "beginning", "follow": "false"}
        read = await door.client.get(f"{door.url}/events/feed", params=params, headers={**feed, "accept": accept})
        told.append(read.text)
    told.append((await ask(door, "privacy", EVENTS))[1])  # nobody: who may know the value reads it of the drift
    told.append((await ask(door, "sales", EVENTS))[1])
    assert [CANARY in each for each in told] == [False] * len(told)
    assert [each.count(MASK) for each in told if "drift.detected" in each] == [2] * (len(told))


async def test_published_events_and_dead_letters_tell_no_classified_value(world, sign, activated):
    door, told = world
    changes = [
        {"field": "status", "from": "TRIALING", "to": "ACTIVE"},
        {"field": "contact.email", "from": None, "to": CANARY},
    ]
    broken = activated(2)
    for each in (good := activated(1), broken):
        each["data"]["changes"] = changes
    del broken["data"]["keys"]["contract"]
    body = json.dumps([good, broken]).encode()
    headers = {"content-type": "application/cloudevents-batch+json", "x-concord-signature": sign(body)}
    taken = (await door.client.post(f"{door.url}/events", content=body, headers=headers)).json()
    assert (taken["accepted"], len(taken["rejected"])) == (1, 1)
    for key in ("privacy", "sales"):
        _, text = await ask(door, key, EVENTS)
        assert (CANARY in text, text.count(MASK)) == (False, 1)
    async with asyncio.timeout(60):
        while not any("contract.activated" in each for each in told):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)
    assert CANARY not in "".join(told)
    shown, _ = await ask(door, "privacy", LETTERS)
    assert CANARY in json.dumps(shown)
    masked, _ = await ask(door, "sales", LETTERS)
    assert CANARY not in json.dumps(masked)
    assert "TRIALING" in json.dumps(masked)
