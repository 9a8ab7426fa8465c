"""An event on its whole way: posted, kept, and delivered with fields of another subgraph over WebSocket and SSE."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from pydantic import SecretStr
from websockets.asyncio.client import connect

from gateway.app import create_gateway
from gateway.federation.composition import SubgraphSource, compose
from gateway.settings import EventsSettings, Settings, StateSettings, SubgraphSettings, SupergraphSettings
from gateway.transport.server import server
from subgraphs.identity.app import start as start_identity
from subgraphs.identity.schema import create_schema as create_identity_schema
from subgraphs.identity.settings import IdentitySettings
from subgraphs.kit.subgraph_app import create_app

ROOT = Path(__file__).parents[2]
SDL = ROOT / "schema" / "subgraphs"
SECRET = "between ourselves"

CUSTOMER_EVENTS = """subscription ($cursor: String) { customerEvents(cursor: $cursor) {
  type sequence cursor changes { field from to } customer { id identities { system externalId } } } }"""


@dataclass
class Door:
    """A running gateway."""

    url: str
    client: httpx2.AsyncClient
    identity_url: str


@asynccontextmanager
async def gateway_on(port: int, settings: Settings):
    gateway = create_gateway(settings, internal_secret=SECRET)
    process = server(gateway.app, drain=gateway.drain, settings=gateway.transport, port=port, drain_s=0.2)
    task = asyncio.create_task(process.serve())
    await process.ready.wait()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.should_exit = True
        await task


def compose_at(identity_url: str) -> str:
    """The supergraph of identity and the gateway's own graph."""
    composition = compose(
        [
            SubgraphSource(name=name, url=url, sdl=(SDL / f"{name}.graphql").read_text())
            for name, url in (("identity", identity_url), ("concord", "http://concord.invalid"))
        ]
    )
    assert composition.supergraph_sdl is not None, composition.errors
    return composition.supergraph_sdl


@pytest.fixture
async def door(tmp_path, schemas, serve):
    """A gateway wired as the product is, over a running identity subgraph that tells it of events."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    identity_settings = IdentitySettings(
        state_dir=tmp_path / "identity", signing_secret=SecretStr(SECRET), events_url=f"http://127.0.0.1:{port}/events"
    )
    identity_app = create_app("identity", create_identity_schema(), identity_settings, start_identity)
    async with (
        serve(identity_app, lifespan="on") as identity,
        httpx2.AsyncClient(trust_env=False, timeout=60) as client,
    ):
        supergraph = tmp_path / "supergraph.graphql"
        supergraph.write_text(compose_at(f"{identity}/graphql"))
        settings = Settings(
            state=StateSettings(directory=tmp_path),
            supergraph=SupergraphSettings(path=supergraph),
            events=EventsSettings(contracts=schemas),
            subgraphs={
                "identity": SubgraphSettings(
                    url=f"{identity}/graphql", schema=SDL / "identity.graphql", owner="platform"
                ),
                "concord": SubgraphSettings(in_process="concord", schema=SDL / "concord.graphql", system="gateway"),
            },
        )
        async with gateway_on(port, settings) as url:
            yield Door(url, client, identity)


@pytest.fixture
def post(door, sign):
    async def post(url: str, message: Any, media_type: str) -> Any:
        body = orjson.dumps(message)
        headers = {"content-type": media_type, "x-concord-signature": sign(body)}
        response = await door.client.post(url, content=body, headers=headers)
        assert response.status_code == 200, response.text
        return response.json()

    return post


@pytest.fixture
def take_record(door, post):
    async def take_record(system: str, external_id: str) -> str:
        record = {"system": system, "externalId": external_id, "reference": "CUST-0001", "name": "Acme"}
        taken = await post(f"{door.identity_url}/records", {"records": [record]}, "application/json")
        return taken["customers"][external_id]

    return take_record


@asynccontextmanager
async def subscribed(door, query: str, **variables: Any):
    """A graphql-transport-ws subscription: an async function that reads the next message."""
    async with connect(
        door.url.replace("http", "ws") + "/graphql", subprotocols=["graphql-transport-ws"], proxy=None
    ) as connection:

        async def read() -> Any:
            return json.loads(await asyncio.wait_for(connection.recv(), 30))

        await connection.send(json.dumps({"type": "connection_init"}))
        assert (await read())["type"] == "connection_ack"
        payload = {"query": query, "variables": variables}
        await connection.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
        yield read


async def read_sse(door, query: str, count: int, headers: dict[str, str] | None = None) -> list[dict[str, str]]:
    """The first events of an SSE subscription, as fields."""
    found: list[dict[str, str]] = []
    accept = {"accept": "text/event-stream", **(headers or {})}
    async with (
        asyncio.timeout(60),
        door.client.stream("POST", f"{door.url}/graphql", json={"query": query}, headers=accept) as response,
    ):
        fields: dict[str, str] = {}
        async for line in response.aiter_lines():
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value
            elif not line and fields:
                found.append(fields)
                fields = {}
                if len(found) == count:
                    break
    return found


def seen(payload: Any) -> Any:
    event = payload["data"]["customerEvents"]
    assert payload["extensions"]["concord"]["cursor"] == event["cursor"]
    return event["type"], event["sequence"], event["customer"]


async def test_a_change_in_a_subgraph_reaches_both_transports_with_fields_of_its_owner(door, take_record):
    async with subscribed(door, CUSTOMER_EVENTS) as read, asyncio.TaskGroup() as group:
        streaming = group.create_task(read_sse(door, CUSTOMER_EVENTS, 2))
        await asyncio.sleep(0.3)
        customer = await take_record("crm", "101")
        first = await read()
        await take_record("billing", "cus_1")
        second = await read()
    crm = {"system": "crm", "externalId": "101"}
    billing = {"system": "billing", "externalId": "cus_1"}
    assert [(message["type"], message["id"]) for message in (first, second)] == [("next", "1")] * 2
    over_socket = [seen(message["payload"]) for message in (first, second)]
    assert over_socket == [
        ("concord.customer.created.v1", 1, {"id": customer, "identities": [crm]}),
        ("concord.customer.updated.v1", 2, {"id": customer, "identities": [crm, billing]}),
    ]
    over_sse = [json.loads(event["data"]) for event in streaming.result()]
    assert [event["event"] for event in streaming.result()] == ["next", "next"]
    assert [event["id"] for event in streaming.result()] == [e["data"]["customerEvents"]["cursor"] for e in over_sse]
    assert [seen(payload)[:2] for payload in over_sse] == [event[:2] for event in over_socket]
    # Back after a lost connection: by the browser's own header, or by the argument.
    last = streaming.result()[0]["id"]
    (resumed,) = await read_sse(door, CUSTOMER_EVENTS, 1, {"last-event-id": last})
    assert seen(json.loads(resumed["data"])) == over_socket[1]
    async with subscribed(door, CUSTOMER_EVENTS, cursor=last) as read:
        assert seen((await read())["payload"]) == over_socket[1]


async def test_a_posted_event_names_entities_of_systems_that_may_be_silent(door, post, activated, gid, take_record):
    customer = await take_record("crm", "101")
    event = activated(1)
    event["data"]["keys"]["customer"] = customer
    query = """subscription { contractEvents(filter: {contracts: ["CON-2025-0001"]}) {
      time subject contract { number } customer { identities { externalId } } } }"""
    async with subscribed(door, query) as read:
        await asyncio.sleep(0.2)
        answer = await post(f"{door.url}/events", [event], "application/cloudevents-batch+json")
        assert answer == {"accepted": 1, "duplicates": 0, "rejected": []}
        message = await read()
    assert message["payload"]["data"] == {
        "contractEvents": {
            "time": "2026-03-01T09:30:00Z",
            "subject": gid("Contract", "CON-2025-0001"),
            "contract": {"number": "CON-2025-0001"},
            "customer": {"identities": [{"externalId": "101"}]},
        }
    }


async def test_a_subscription_that_can_not_begin_says_why(door):
    async with subscribed(door, CUSTOMER_EVENTS, cursor="nonsense") as read:
        message = await read()
    errors = message["payload"] if message["type"] == "error" else message["payload"]["errors"]
    assert [(error["message"], error["extensions"]["code"], error["extensions"]["system"]) for error in errors] == [
        ("This is not a cursor of this stream.", "EVENT_CURSOR_INVALID", "gateway")
    ]


async def test_nodes_events_and_systems_are_part_of_the_graph(door, take_record, gid):
    customer = await take_record("crm", "101")
    query = """query ($ids: [ID!]!) {
      nodes(ids: $ids) { __typename id ... on Customer { identities { system } } }
      events(last: 1) { edges { node { type customer { id } } } }
    }"""
    variables = {"ids": [customer, gid("Customer", "gone")]}
    async with asyncio.timeout(60):
        while True:
            response = await door.client.post(f"{door.url}/graphql", json={"query": query, "variables": variables})
            answer = response.json()
            if answer.get("data", {}).get("events", {}).get("edges"):
                break
            await asyncio.sleep(0.05)
    assert answer["data"] == {
        "nodes": [{"__typename": "Customer", "id": customer, "identities": [{"system": "crm"}]}, None],
        "events": {"edges": [{"node": {"type": "concord.customer.created.v1", "customer": {"id": customer}}}]},
    }
    response = await door.client.post(f"{door.url}/graphql", json={"query": "{ systems { name owner status } }"})
    assert response.json()["data"] == {
        "systems": [
            {"name": "identity", "owner": "platform", "status": "UP"},  # as configured
            {"name": "gateway", "owner": "graph-platform", "status": "UP"},  # from schema/ownership.toml
        ]
    }
