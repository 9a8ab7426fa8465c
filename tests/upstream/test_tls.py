"""Subgraphs that are reached by TLS, whether the gateway knew of them when it started or not."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import httpx2
import pytest
from served_graph import Graph, Served
from websockets.asyncio.server import ServerConnection, serve
from written_certificate import written

PEOPLE = "type Query { name: String }"
NEWS = "type Query { news: Int } type Subscription { ticks: Int }"


async def tell(connection: ServerConnection) -> None:
    """Speak graphql-transport-ws: two ticks for whoever subscribes."""
    async for text in connection:
        message = json.loads(text)
        if message["type"] == "connection_init":
            await connection.send('{"type":"connection_ack"}')
        elif message["type"] == "subscribe":
            for tick in (1, 2):
                answer = {"type": "next", "id": message["id"], "payload": {"data": {"ticks": tick}}}
                await connection.send(json.dumps(answer))
            await connection.send(json.dumps({"type": "complete", "id": message["id"]}))


def certified(folder: Path) -> ssl.SSLContext:
    written(folder, "subgraph", written(folder, "authority", is_authority=True))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "subgraph.pem", folder / "subgraph.key")
    return context


@pytest.fixture
async def news(tmp_path: Path) -> AsyncIterator[str]:
    """The https address of a subgraph with subscriptions, with a certificate of `authority.pem`."""
    tls = certified(tmp_path)
    async with serve(tell, "127.0.0.1", 0, subprotocols=["graphql-transport-ws"], ssl=tls) as server:  # type: ignore[list-item]
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/graphql"


async def ticks(gateway: Served) -> list[dict[str, object]]:
    """What a subscription tells, to its end."""
    headers, body = {"accept": "text/event-stream"}, {"query": "subscription { ticks }"}
    async with (
        asyncio.timeout(30),
        httpx2.AsyncClient(timeout=30, trust_env=False) as client,
        client.stream("POST", f"{gateway.url}/graphql", json=body, headers=headers) as reply,
    ):
        lines = [line async for line in reply.aiter_lines()]
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]


TICKS = [{"data": {"ticks": 1}}, {"data": {"ticks": 2}}]


@pytest.fixture
def people(graph: Graph) -> Graph:
    graph.subgraphs = {"people": graph.subgraphs["people"]}
    graph.subgraphs["people"].say = lambda request: {"data": {"name": "Ada"}}
    return graph


async def test_a_subgraph_that_comes_with_a_reload_is_reached_by_tls(people: Graph, news: str) -> None:
    people.compose({"people": PEOPLE})
    with people.serve() as gateway:
        assert await gateway.ask("{ name }") == {"data": {"name": "Ada"}}
        people.compose({"people": PEOPLE, "news": NEWS}, news=news)
        await gateway.logged("reloaded")
        # An address of the supergraph is trusted as the system trusts, which does not know this authority.
        ((error,),) = [each["errors"] for each in await ticks(gateway)]
        assert error["extensions"]["code"] == "SYSTEM_UNAVAILABLE"
        ((error,),) = [(await gateway.ask("{ news }"))["errors"]]
        assert error["extensions"]["code"] == "SYSTEM_UNAVAILABLE"
        assert await gateway.ask("{ name }") == {"data": {"name": "Ada"}}


async def test_a_configured_subgraph_has_subscriptions_by_tls(people: Graph, news: str) -> None:
    people.subgraphs["news"] = SimpleNamespace(url=news)  # type: ignore[assignment]  # all that is asked of it
    people.compose({"people": PEOPLE, "news": NEWS})
    people.settings = f'tls_authority = "{people.folder / "authority.pem"}"\n'  # in the last table, the subgraph's
    with people.serve() as gateway:
        assert await ticks(gateway) == TICKS
