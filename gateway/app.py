"""The composition root: settings in, a gateway out. The only file that wires; everything else is handed what it needs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from gateway.access.authenticate import allow_anonymous
from gateway.access.limits import Limits
from gateway.access.persisted import RememberedDocuments
from gateway.console import console
from gateway.engine import Engine, EngineLimits
from gateway.events.contracts import EventContracts
from gateway.events.embedded import Events, embedded_events
from gateway.events.ingest import EventIngest
from gateway.events.shared import shared_events
from gateway.execution.located import SubgraphProfile
from gateway.execution.ports import RequestContext, SubgraphClient
from gateway.federation.supergraph import Supergraph, parse_supergraph
from gateway.graph.context import GraphContext, SystemState, SystemStatus
from gateway.graph.entity_lookup import SubgraphEntityLookup
from gateway.graph.schema import create_schema
from gateway.settings import Settings, SettingsRefused, SubgraphSettings
from gateway.transport.asgi import ASGIApp, Receive, Scope, Send
from gateway.transport.drain import Drain
from gateway.transport.graphql_app import graphql_app
from gateway.transport.resume import CURSOR_HEADER
from gateway.transport.routes import health, routes
from gateway.transport.settings import CorsSettings, TransportSettings
from gateway.upstream.breaker import CircuitBreaker
from gateway.upstream.bulkhead import Bulkhead
from gateway.upstream.coalesce import Coalesced
from gateway.upstream.deadline import Deadlined
from gateway.upstream.headers import Headered
from gateway.upstream.in_process import InProcessSubgraph
from gateway.upstream.remote import remote_subgraph
from gateway.upstream.retry import Retried
from gateway.writes.idempotent import IdempotentWrites
from gateway.writes.sqlite_store import SqliteWriteStore
from gateway.writes.store import WriteStore

_LOG = logging.getLogger("concord.app")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A gateway that is ready to be served; its application's lifespan opens and closes all it holds."""

    app: ASGIApp
    drain: Drain
    transport: TransportSettings


def create_gateway(settings: Settings, *, internal_secret: str) -> Gateway:
    """Wire a gateway: one process, its stores, its subgraph clients and an engine that reloads.

    Raises SettingsRefused if the supergraph can't be served.
    """
    supergraph = _read_supergraph(settings)
    contracts = EventContracts.load(settings.events.contracts)
    transport = TransportSettings(
        csrf=settings.server.csrf,
        cors=CorsSettings(origins=frozenset(settings.server.cors_origins)),
        compress_from_bytes=settings.server.compress_from_bytes,
    )
    drain = Drain()
    process = _Process(settings)
    ingest = _Later()
    page = console(query=_read_query(settings))

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            events = await stack.enter_async_context(_open_events(settings))
            writes = await _open_writes(settings)
            stack.push_async_callback(writes.aclose)
            await stack.enter_async_context(process.serving(supergraph, events, writes))
            ingest.app = EventIngest(events.log, events.dead_letters, contracts, secret=internal_secret)
            watching = asyncio.create_task(process.reload_when_changed(), name="supergraph reload")
            stack.callback(watching.cancel)
            yield

    app = routes(
        {
            "/": page.page,
            "/console/": page.assets,
            "/graphql": graphql_app(
                process.engine,
                settings=transport,
                authenticate=allow_anonymous,
                drain=drain,
                page=page.page,
            ),
            "/events": ingest,
            "/health": health,
        },
        websockets={"/graphql"},
        lifespan=lifespan,
    )
    return Gateway(app=app, drain=drain, transport=transport)


class _Process:
    """The engine of the moment, and the clients that outlive it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._engine: Engine | None = None
        self._clients: dict[str, SubgraphClient] = {}
        self._breakers: dict[str, CircuitBreaker] = {}
        self._events: Events | None = None
        self._writes: WriteStore | None = None
        self._read_at = self._stamp()

    def engine(self) -> Engine:
        """Return the engine for a new operation."""
        assert self._engine is not None
        return self._engine

    @asynccontextmanager
    async def serving(self, supergraph: Supergraph, events: Events, writes: WriteStore) -> AsyncIterator[None]:
        """Serve a supergraph, and close engine and clients afterwards."""
        self._events, self._writes = events, writes
        self._engine = self._build(supergraph)
        try:
            yield
        finally:
            self._engine.close()
            for client in self._clients.values():
                await client.aclose()

    async def reload_when_changed(self) -> None:
        """Swap in each new supergraph that appears in the file; a broken one is logged and the old one goes on."""
        while True:
            await asyncio.sleep(self._settings.supergraph.reload_interval_s)
            stamp = self._stamp()
            if stamp == self._read_at:
                continue
            self._read_at = stamp
            try:
                supergraph = await asyncio.to_thread(_read_supergraph, self._settings)
                engine = self._build(supergraph)
            except SettingsRefused as refused:
                _LOG.error("reload_refused", extra={"problems": refused.problems})
                continue
            # Operations that began with the old engine end with it: they hold it themselves.
            old, self._engine = self._engine, engine
            if old is not None:
                old.close()
            _LOG.info("reloaded", extra={"subgraphs": list(supergraph.subgraphs)})

    async def systems(self) -> Sequence[SystemState]:
        """Return the systems behind the graph, as their circuit breakers see them."""
        return [
            SystemState(name=_system(name, subgraph), owner=subgraph.owner, status=self._status(name))
            for name, subgraph in self._settings.subgraphs.items()
        ]

    def _status(self, name: str) -> SystemStatus:
        breaker = self._breakers.get(name)
        if breaker is None:
            return SystemStatus.UP if name in self._clients else SystemStatus.UNKNOWN
        if breaker.is_open or 0 < breaker.fetched == breaker.failures:
            return SystemStatus.DOWN
        if breaker.failures:
            return SystemStatus.DEGRADED
        return SystemStatus.UP if breaker.fetched else SystemStatus.UNKNOWN

    def _build(self, supergraph: Supergraph) -> Engine:
        for name, subgraph in supergraph.subgraphs.items():
            if name not in self._clients:
                configured = self._settings.subgraphs.get(name)
                self._clients[name] = self._client(name, subgraph.url, configured, supergraph)
        return Engine(
            supergraph,
            {name: self._clients[name] for name in supergraph.subgraphs},
            profiles={
                name: SubgraphProfile(
                    name=name, system=_system(name, subgraph), owner=subgraph.owner, shown_codes=subgraph.shown_codes
                )
                for name, subgraph in self._settings.subgraphs.items()
            },
            documents=RememberedDocuments(),
            limits=EngineLimits(
                deadline_s=self._settings.request.deadline_s,
                document=Limits(introspection=self._settings.request.introspection),
            ),
        )

    def _client(
        self, name: str, url: str, configured: SubgraphSettings | None, supergraph: Supergraph
    ) -> SubgraphClient:
        if configured is not None and configured.in_process is not None:
            return self._concord(supergraph)
        settings = configured or SubgraphSettings(url=url, schema=self._settings.supergraph.path)
        address = settings.url or url
        # Outermost last: each policy is a client around the one before.
        client: SubgraphClient = remote_subgraph(address, max_connections=settings.max_connections)
        client = Deadlined(client, timeout_s=settings.timeout_s)
        client = Bulkhead(client, most=settings.max_connections)
        client = self._breakers[name] = CircuitBreaker(client)
        client = Retried(client)
        assert self._writes is not None
        client = IdempotentWrites(client, self._writes)
        client = Coalesced(client)
        return Headered(client, fixed=settings.headers, forwarded=settings.forward_headers)

    def _concord(self, supergraph: Supergraph) -> SubgraphClient:
        """The gateway's own graph, which asks the other subgraphs whether entities exist."""
        events = self._events
        assert events is not None

        async def make_context(context: RequestContext) -> GraphContext:
            # The engine of the moment knows the newest supergraph; the first one is being built right now.
            known = self._engine.supergraph if self._engine is not None else supergraph
            return GraphContext(
                log=events.log,
                streams=events.streams,
                look_up=SubgraphEntityLookup(known, self._clients, context),
                directory=self,
                resume_after=context.headers.get(CURSOR_HEADER) or None,
            )

        return InProcessSubgraph(create_schema(), make_context=make_context)

    def _stamp(self) -> tuple[int, int] | None:
        try:
            status = self._settings.supergraph.path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size


@dataclass(slots=True)
class _Later:
    """An application that exists once the process has started."""

    app: ASGIApp | None = field(default=None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        await self.app(scope, receive, send)


def _open_events(settings: Settings) -> AbstractAsyncContextManager[Events]:
    retention = timedelta(days=settings.events.retention_days)
    if settings.events.redis_url is not None:
        return shared_events(settings.events.redis_url, retention=retention)
    return embedded_events(settings.state.directory / "gateway" / "events.sqlite", retention=retention)


def _read_query(settings: Settings) -> str:
    path = settings.console.query
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsRefused((f"`console.query`: {path} can't be read: {error}",)) from error


async def _open_writes(settings: Settings) -> WriteStore:
    if settings.writes.postgres_url is not None:
        from gateway.writes.postgres_store import PostgresWriteStore  # noqa: PLC0415 - an extra that one gateway alone does without

        return await PostgresWriteStore.open(settings.writes.postgres_url, keep_s=settings.writes.keep_s)
    return SqliteWriteStore(settings.state.directory / "gateway" / "writes.sqlite", keep_s=settings.writes.keep_s)


def _read_supergraph(settings: Settings) -> Supergraph:
    path = settings.supergraph.path
    try:
        return parse_supergraph(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingsRefused((f"There is no supergraph at {path}; run `concord compose` first.",)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsRefused((f"{path} can't be read: {error}",)) from error
    except Exception as error:
        raise SettingsRefused((f"{path} is not a supergraph: {error}",)) from error


def _system(name: str, subgraph: SubgraphSettings) -> str:
    return subgraph.system or name
