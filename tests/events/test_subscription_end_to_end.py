"""An event on its whole way: posted, kept, and delivered with fields of another subgraph over WebSocket and SSE."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from websockets.asyncio.client import connect

from gateway.engine import Engine
from gateway.events.embedded import embedded_events
from gateway.events.ingest import EventIngest
from gateway.federation.composition import SubgraphSource, compose
from gateway.federation.supergraph import parse_supergraph
from gateway.graph.probed_systems import ProbedSystem, ProbedSystems
from gateway.graph.subgraph import concord_subgraph
from gateway.transport.drain import Drain
from gateway.transport.graphql_app import graphql_app
from gateway.transport.routes import routes
from gateway.transport.server import server
from gateway.transport.settings import TransportSettings
from gateway.upstream.http import HttpSubgraph
from gateway.upstream.httpx_transport import HttpxTransport
from gateway.upstream.subscribe import RemoteStreams

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
async def identity_process(state: Path, events_url: str):
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "CONCORD_IDENTITY_PORT": "0",
        "CONCORD_IDENTITY_STATE_DIR": str(state),
        "CONCORD_IDENTITY_SIGNING_SECRET": SECRET,
        "CONCORD_IDENTITY_EVENTS_URL": events_url,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "subgraphs.identity.app", stdout=asyncio.subprocess.PIPE, env=environment, cwd=ROOT
    )
    try:
        assert process.stdout is not None
        yield (await asyncio.wait_for(process.stdout.readline(), 20)).decode().split()[1]
    finally:
        process.terminate()
        await process.wait()


@pytest.fixture
async def door(tmp_path, contracts):
    """Gateway with identity and its own graph; identity starts second, since it has to know where events go."""
    async with AsyncExitStack() as stack:
        events = await stack.enter_async_context(embedded_events(tmp_path / "gateway" / "events.sqlite"))
        ingest = EventIngest(events.log, events.dead_letters, contracts, secret=SECRET)
        engines: list[Engine] = []
        settings, drain = TransportSettings(), Drain()
        table = {"/graphql": graphql_app(lambda: engines[0], settings=settings, drain=drain), "/events": ingest}
        process = server(routes(table), drain=drain, settings=settings, port=0, drain_s=0.2)
        serving = asyncio.create_task(process.serve())
        while not process.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        url = f"http://127.0.0.1:{process.addresses[0][1]}"
        identity = await stack.enter_async_context(identity_process(tmp_path / "identity", f"{url}/events"))
        composition = compose(
            [
                SubgraphSource(name=name, url=at, sdl=(SDL / f"{name}.graphql").read_text())
                for name, at in (("identity", f"{identity}/graphql"), ("concord", "http://concord.invalid"))
            ]
        )
        assert composition.supergraph_sdl is not None, composition.errors
        supergraph = parse_supergraph(composition.supergraph_sdl)
        transport = HttpxTransport(f"{identity}/graphql")
        clients: dict[str, Any] = {
            "identity": HttpSubgraph(transport, subscribe=RemoteStreams(f"{identity}/graphql", transport))
        }
        client = await stack.enter_async_context(httpx2.AsyncClient(trust_env=False, timeout=10))
        directory = ProbedSystems(
            [
                ProbedSystem(name="identity", owner="platform", health_url=f"{identity}/health"),
                ProbedSystem(name="erp", owner=None, health_url="http://127.0.0.1:9/health"),
                ProbedSystem(name="gateway", owner="platform", health_url=None),
            ],
            client,
        )
        clients["concord"] = concord_subgraph(supergraph, clients, events, directory)
        engines.append(Engine(supergraph, clients))
        yield Door(url, client, identity)
        process.should_exit = True
        await serving
        await transport.aclose()
        engines[0].close()


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
async def socket(door, query: str, **variables: Any):
    """A graphql-transport-ws subscription: an async function that reads the next message."""
    async with connect(
        door.url.replace("http", "ws") + "/graphql", subprotocols=["graphql-transport-ws"], proxy=None
    ) as connection:

        async def read() -> Any:
            return json.loads(await asyncio.wait_for(connection.recv(), 5))

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
        asyncio.timeout(10),
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
    async with socket(door, CUSTOMER_EVENTS) as read, asyncio.TaskGroup() as group:
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
    async with socket(door, CUSTOMER_EVENTS, cursor=last) as read:
        assert seen((await read())["payload"]) == over_socket[1]


async def test_a_posted_event_names_entities_of_systems_that_may_be_silent(door, post, activated, gid, take_record):
    customer = await take_record("crm", "101")
    event = activated(1)
    event["data"]["keys"]["customer"] = customer
    query = """subscription { contractEvents(filter: {contracts: ["CON-2025-0001"]}) {
      time subject contract { number } customer { identities { externalId } } } }"""
    async with socket(door, query) as read:
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
    async with socket(door, CUSTOMER_EVENTS, cursor="nonsense") as read:
        message = await read()
    errors = message["payload"] if message["type"] == "error" else message["payload"]["errors"]
    assert [(error["message"], error["extensions"]["code"], error["extensions"]["system"]) for error in errors] == [
        ("This is not a cursor of this stream.", "EVENT_CURSOR_INVALID", "concord")
    ]


async def test_nodes_events_and_systems_are_part_of_the_graph(door, take_record, gid):
    customer = await take_record("crm", "101")
    query = """query ($ids: [ID!]!) {
      nodes(ids: $ids) { __typename id ... on Customer { identities { system } } }
      events(last: 1) { edges { node { type customer { id } } } }
      systems { name owner status }
    }"""
    variables = {"ids": [customer, gid("Customer", "gone")]}
    async with asyncio.timeout(5):
        while True:
            response = await door.client.post(f"{door.url}/graphql", json={"query": query, "variables": variables})
            answer = response.json()
            if answer.get("data", {}).get("events", {}).get("edges"):
                break
            await asyncio.sleep(0.05)
    assert answer["data"] == {
        "nodes": [{"__typename": "Customer", "id": customer, "identities": [{"system": "crm"}]}, None],
        "events": {"edges": [{"node": {"type": "concord.customer.created.v1", "customer": {"id": customer}}}]},
        "systems": [
            {"name": "identity", "owner": "platform", "status": "UP"},
            {"name": "erp", "owner": None, "status": "DOWN"},
            {"name": "gateway", "owner": "platform", "status": "UP"},
        ],
    }
