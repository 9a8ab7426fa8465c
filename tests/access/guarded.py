"""A small graph with guarded parts, and a door in front of it: what the tests of access ask."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from graphql import GraphQLSchema, build_schema, graphql, parse, subscribe
from websockets.asyncio.client import ClientConnection, connect

from gateway.access.authenticate import Credentials
from gateway.access.revocations import Revocations
from gateway.access.settings import AccessSettings
from gateway.engine import Engine
from gateway.execution.ports import RequestContext, SubgraphAnswer, SubgraphRequest
from gateway.federation.composition import SubgraphSource, compose
from gateway.federation.supergraph import Supergraph, parse_supergraph
from gateway.transport.drain import Drain
from gateway.transport.graphql_app import graphql_app
from gateway.transport.routes import health, routes
from gateway.transport.server import server
from gateway.transport.settings import TransportSettings


@dataclass
class Scripted:
    """A subgraph in this process: answers from a root value, and remembers what it was asked."""

    sdl: str
    root: dict[str, Any]
    documents: list[str] = field(default_factory=list)
    callers: list[Any] = field(default_factory=list)
    delay_s: float = 0.0
    schema: GraphQLSchema = field(init=False)

    def __post_init__(self) -> None:
        self.schema = build_schema(self.sdl)

    async def fetch(self, request: SubgraphRequest, context: RequestContext) -> SubgraphAnswer:
        self.documents.append(request.document)
        self.callers.append(context.caller)
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        result = await graphql(
            self.schema,
            request.document,
            self.root,
            variable_values=dict(request.variables),
            operation_name=request.operation_name,
            field_resolver=_resolve,
        )
        return SubgraphAnswer(json.loads(json.dumps(result.formatted)))

    async def subscribe(self, request: SubgraphRequest, context: RequestContext) -> AsyncIterator[SubgraphAnswer]:
        self.documents.append(request.document)
        self.callers.append(context.caller)
        results = subscribe(
            self.schema,
            parse(request.document),
            self.root,
            variable_values=dict(request.variables),
            field_resolver=_resolve,
            subscribe_field_resolver=_resolve,
        )
        if asyncio.iscoroutine(results):
            results = await results
        async for result in results:
            yield SubgraphAnswer(json.loads(json.dumps(result.formatted)))

    async def aclose(self) -> None:
        """Nothing is held."""


def _resolve(source: Any, info: Any, **arguments: Any) -> Any:
    value = source.get(info.field_name) if isinstance(source, dict) else None
    return value(**arguments) if callable(value) else value


def composed(**sdls: str) -> Supergraph:
    """Compose subgraphs by name."""
    sources = [SubgraphSource(name=name, url=f"http://{name}.invalid", sdl=sdl) for name, sdl in sdls.items()]
    composition = compose(sources)
    assert composition.supergraph_sdl is not None, composition.errors
    return parse_supergraph(composition.supergraph_sdl)


@dataclass
class Gate:
    """A running door."""

    url: str
    client: httpx2.AsyncClient
    drain: Drain

    @property
    def graphql(self) -> str:
        return f"{self.url}/graphql"

    async def post(
        self, query: str, token: str | None = None, variables: Any = None, **headers: str
    ) -> httpx2.Response:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            given["authorization"] = f"Bearer {token}"
        return await self.client.post(self.graphql, json={"query": query, "variables": variables or {}}, headers=given)

    @asynccontextmanager
    async def socket(self, payload: Any = None) -> AsyncIterator[ClientConnection]:
        async with connect(
            self.graphql.replace("http", "ws"), subprotocols=["graphql-transport-ws"], proxy=None
        ) as connection:
            await connection.send(json.dumps({"type": "connection_init", "payload": payload or {}}))
            yield connection


async def told(connection: ClientConnection) -> Any:
    return json.loads(await asyncio.wait_for(connection.recv(), 30))


def codes(answer: Any) -> list[tuple[str, str]]:
    """Code and path of each error of an answer."""
    return [
        (error["extensions"]["code"], ".".join(map(str, error.get("path", ())))) for error in answer.get("errors", ())
    ]


@asynccontextmanager
async def gate_to(
    engine: Engine, access: AccessSettings, *, settings: TransportSettings | None = None, **more: Any
) -> AsyncIterator[Gate]:
    """Put a door with a policy before an engine."""
    settings = settings or TransportSettings()
    drain = Drain()
    async with AsyncExitStack() as stack:
        credentials = Credentials(access, Revocations(access.revoked, issuers=access.issuers, interval_s=0.05))
        await stack.enter_async_context(credentials.running())
        app = graphql_app(lambda: engine, settings=settings, authenticate=credentials, drain=drain, **more)
        table = {"/graphql": app, "/health": health}
        process = server(routes(table, websockets={"/graphql"}), drain=drain, settings=settings, port=0, drain_s=0.2)
        task = asyncio.create_task(process.serve())
        await process.ready.wait()
        client = await stack.enter_async_context(httpx2.AsyncClient(trust_env=False, timeout=30))
        try:
            yield Gate("http://{}:{}".format(*process.addresses[0]), client, drain)
        finally:
            process.should_exit = True
            await task


ROOT = Path(__file__).parents[2]
