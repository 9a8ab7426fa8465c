"""A gateway wired as the product is, over a running identity subgraph, and clients that listen to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx2
from pydantic import SecretStr
from served_process import free_port
from starlette.responses import PlainTextResponse
from websockets.asyncio.client import connect

from gateway.access.caller import ANONYMOUS
from gateway.access.settings import AccessPolicy, AccessSettings
from gateway.app import create_gateway
from gateway.events.contracts import EventContracts
from gateway.events.dead_letter_desk import DeadLetterDesk
from gateway.events.egress import Egress
from gateway.events.embedded import Events
from gateway.events.settings import EventsSettings
from gateway.events.webhooks import Webhooks
from gateway.execution.ports import RequestContext
from gateway.federation.composition import SubgraphSource, compose
from gateway.graph.context import GraphContext
from gateway.settings import Settings
from gateway.settings_tables import StateSettings, SupergraphSettings
from gateway.transport.server import server
from gateway.upstream.settings import SubgraphSettings
from subgraphs.identity.app import start as start_identity
from subgraphs.identity.schema import create_schema as create_identity_schema
from subgraphs.identity.settings import IdentitySettings
from subgraphs.kit.subgraph_app import create_app

ROOT = Path(__file__).parents[2]
SDL = ROOT / "schema" / "subgraphs"
SECRET = "between ourselves"


@dataclass
class Door:
    """A running gateway."""

    url: str
    client: httpx2.AsyncClient
    identity_url: str
    identity_requests: list[str]
    """Paths that the identity subgraph was asked at."""
    supergraph: Path
    faults: dict[str, int]
    """`identity`: the status that it answers with instead."""


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


def compose_at(identity_url: str, others: Mapping[str, str] = MappingProxyType({})) -> str:
    """The supergraph of identity and the gateway's own graph, and of others, each at its address."""
    composition = compose(
        [
            SubgraphSource(name=name, url=url, sdl=(SDL / f"{name}.graphql").read_text())
            for name, url in (("identity", identity_url), ("concord", "http://concord.invalid"), *others.items())
        ]
    )
    assert composition.supergraph_sdl is not None, composition.errors
    return composition.supergraph_sdl


@asynccontextmanager
async def running_door(tmp_path: Path, schemas: Path, serve: Any, **settings: Any) -> AsyncIterator[Door]:
    """A gateway wired as the product is, over a running identity subgraph that tells it of events."""
    port = free_port()
    identity_settings = IdentitySettings(
        state_dir=tmp_path / "identity",
        signing_secret=SecretStr(SECRET),
        events_url=f"http://127.0.0.1:{port}/events",
        require_caller=True,
    )
    identity_app = create_app("identity", create_identity_schema(), identity_settings, start_identity)
    asked: list[str] = []
    faults: dict[str, int] = {}

    async def counted(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            asked.append(scope["path"])
            if "identity" in faults and scope["path"] == "/graphql":
                await PlainTextResponse("broken", faults["identity"])(scope, receive, send)
                return
        await identity_app(scope, receive, send)

    async with (
        serve(counted, lifespan="on") as identity,
        httpx2.AsyncClient(trust_env=False, timeout=60) as client,
    ):
        supergraph = tmp_path / "supergraph.graphql"
        others = settings.pop("others", {})
        supergraph.write_text(compose_at(f"{identity}/graphql", others))
        events = settings.pop("events", {})
        configured = Settings(
            access=settings.pop("access", AccessSettings(policy=AccessPolicy.DEVELOPMENT)),
            state=StateSettings(directory=tmp_path),
            supergraph=SupergraphSettings(
                path=supergraph,
                ownership=ROOT / "schema/ownership.toml",
                reload_interval_s=settings.pop("reload_interval_s", 1.0),
            ),
            events=EventsSettings(contracts=schemas, **events),
            subgraphs={
                "identity": SubgraphSettings(
                    url=f"{identity}/graphql", schema_path=SDL / "identity.graphql", owner="platform"
                ),
                "concord": SubgraphSettings(
                    in_process="concord", schema_path=SDL / "concord.graphql", system="gateway"
                ),
                **{
                    name: SubgraphSettings(
                        url=url, schema_path=SDL / f"{name}.graphql", shown_codes=frozenset({"BAD_USER_INPUT"})
                    )
                    for name, url in others.items()
                },
            },
            **settings,
        )
        async with gateway_on(port, configured) as url:
            yield Door(url, client, identity, asked, supergraph, faults)


@asynccontextmanager
async def subscribed(door, query: str, **variables: Any):
    """A graphql-transport-ws subscription: an async function that reads the next message."""
    async with connect(
        door.url.replace("http", "ws") + "/graphql", subprotocols=["graphql-transport-ws"], proxy=None
    ) as connection:

        async def read() -> Any:
            return json.loads(await asyncio.wait_for(connection.recv(), 60))

        await connection.send(json.dumps({"type": "connection_init"}))
        assert (await read())["type"] == "connection_ack"
        payload = {"query": query, "variables": variables}
        await connection.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
        yield read


def graph_context(
    events: Events, contracts: EventContracts, look_up: Any = None, directory: Any = None
) -> GraphContext:
    """What the gateway's own graph works with, over one log."""
    return GraphContext(
        log=events.log,
        streams=events.streams,
        desk=DeadLetterDesk(events.dead_letters, events.log, contracts),
        consumers=events.consumers,
        webhooks=Webhooks((), events.log, events.consumers, events.notes, Egress(())),
        look_up=look_up,
        directory=directory,
        request=RequestContext(correlation_id="c-1", deadline=float("inf"), caller=ANONYMOUS),
    )


async def head_cursor(door: Door) -> str:
    """The cursor of the newest event: a subscription that begins with it misses nothing, whenever it is open."""
    async with asyncio.timeout(60):
        while True:
            query = {"query": "{ events(last: 1) { edges { cursor } } }"}
            edges = (await door.client.post(f"{door.url}/graphql", json=query)).json()["data"]["events"]["edges"]
            if edges:
                return str(edges[0]["cursor"])
            await asyncio.sleep(0.05)


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
