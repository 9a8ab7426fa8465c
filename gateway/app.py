"""The composition root: settings in, a gateway out. It wires; everything else is handed what it needs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import CollectorRegistry

from gateway.access.authenticate import Credentials
from gateway.access.confined import Confined
from gateway.access.load import Load
from gateway.access.persisted import RememberedDocuments
from gateway.access.policies import PoliciesMissing, PolicyPort, load_policies
from gateway.access.rate import CallerRates, Rate
from gateway.access.revocations import Revocations, RevocationsUnreadable
from gateway.access.settings import AccessPolicy, AccessSettings
from gateway.access.trusted import ManifestInvalid, TrustedDocuments, TrustMode, read_manifest
from gateway.cache.known_documents import DocumentFile
from gateway.cache.warm_plans import WarmPlans
from gateway.console import console
from gateway.engine import Engine, EngineLimits
from gateway.entity_caching import entity_caching
from gateway.events.contracts import EventContracts
from gateway.events.dead_letter_desk import DeadLetterDesk
from gateway.events.embedded import Events, embedded_events
from gateway.events.feed import EventFeed, FeedSettings
from gateway.events.gauges import EventGauges
from gateway.events.ingest import EventIngest
from gateway.events.meter import EventMeter
from gateway.events.source_watch import SourceWatch
from gateway.events.webhooks import Webhooks
from gateway.federation.supergraph import Supergraph
from gateway.open_subgraph import check_ways
from gateway.outgoing import egress_of, feed_readers, read_webhooks
from gateway.reload import Built, Graphs, ReloadedEngine
from gateway.settings import Settings, SettingsRefused, contracts_of, document_limits, load_ownership, overrides_of
from gateway.settings_tables import LimitsSettings
from gateway.subgraph_clients import SubgraphClients
from gateway.telemetry.gateway_metrics import GatewayMetrics, GatewayState
from gateway.telemetry.log_counts import LogCounts
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.requests import RequestMeter
from gateway.telemetry.siblings import Siblings
from gateway.transport.asgi import ASGIApp, Receive, Scope, Send
from gateway.transport.callback import Callbacks
from gateway.transport.door import EngineRef
from gateway.transport.drain import Drain
from gateway.transport.graphql_app import graphql_app
from gateway.transport.routes import health, readiness, routes
from gateway.transport.settings import CorsSettings, TransportSettings
from gateway.transport.unsent import UnsentAnswers
from gateway.transport.watchers import for_watchers
from gateway.upstream.read_budget import ReadBudget
from gateway.writes.sqlite_store import SqliteWriteStore
from gateway.writes.store import WriteStore

_LOG = logging.getLogger("concord.app")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A gateway that is ready to be served; its application's lifespan opens and closes all it holds."""

    app: ASGIApp
    drain: Drain
    transport: TransportSettings


def create_gateway(settings: Settings, *, internal_secret: str, siblings: Siblings | None = None) -> Gateway:
    """Wire a gateway: one process, its stores, its subgraph clients and an engine that reloads.

    `siblings` are the other processes behind its port.
    Raises SettingsRefused if the supergraph can't be served, or nobody could call.
    """
    engine = ReloadedEngine(settings.supergraph.path, contracts_of(settings), partial(check_ways, settings))
    graphs = engine.read()
    ownership = load_ownership(settings)
    contracts = _contracts(settings)
    transport = TransportSettings(
        csrf=settings.server.csrf,
        cors=CorsSettings(origins=frozenset(settings.server.cors_origins)),
        max_unsent_bytes=settings.server.max_unsent_bytes,
        compress_from_bytes=settings.server.compress_from_bytes,
    )
    drain = Drain()
    credentials = _credentials(settings.access)
    policies = _policies(settings.access)
    metrics = Metrics(CollectorRegistry(), siblings)
    ProcessCollector(registry=metrics.registry)
    meter, event_meter = RequestMeter(), EventMeter(metrics.registry)
    load, log_counts = Load(settings.limits.in_flight), LogCounts()
    receivers, egress = read_webhooks(settings, contracts), egress_of(settings)
    callbacks = Callbacks(egress, drain)
    ingest, feed = _Later(), _Later()
    trusted = _trusted("documents", settings.documents.mode, settings.documents.manifest)
    manifests = {
        name: _trusted(f"contracts.{name}", each.documents, each.manifest) for name, each in settings.contracts.items()
    }
    rates = _rates(settings.limits)
    unsent = UnsentAnswers(transport.max_unsent_bytes, transport.stream.send_timeout_s)
    page = console(query=_read_query(settings))

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.enter_context(log_counts.counting())
            events = await stack.enter_async_context(_open_events(settings, event_meter))
            metrics.refresh = (EventGauges(events, metrics.registry).refresh,)
            writes = await _open_writes(settings)
            stack.push_async_callback(writes.aclose)
            desk = DeadLetterDesk(events.dead_letters, events.log, contracts)
            await stack.enter_async_context(credentials.running())
            webhooks = Webhooks(receivers, events.log, events.consumers, events.notes, egress)
            caching = await stack.enter_async_context(entity_caching(settings.entities, ownership, events.log))
            clients = SubgraphClients(
                settings,
                ownership,
                events,
                desk,
                webhooks,
                writes,
                caching,
                internal_secret=internal_secret,
                room=unsent,
            )
            stack.push_async_callback(clients.aclose)
            metrics.registry.register(
                GatewayMetrics(
                    meter,
                    log_counts,
                    state=lambda: _state_of(load, engine().plans, clients.reading, unsent),
                    subgraphs=clients.states,
                )
            )
            webhooks.sights = clients.sights
            contracts.classified = clients.classified_names
            if settings.workflows.enabled:
                from gateway.workflows import open_workflows  # noqa: PLC0415 - a gateway without them does without

                clients.workflows = await stack.enter_async_context(
                    open_workflows(settings, ownership, clients, events.log)
                )
            if rates is not None:
                stack.push_async_callback(rates.aclose)
            build = partial(
                _build_engine,
                settings=settings,
                clients=clients,
                policies=policies,
                meter=meter,
                trusted=trusted,
                contracts=manifests,
            )
            interval_s = settings.supergraph.reload_interval_s
            plans = _warm_plans(settings, trusted)
            await stack.enter_async_context(engine.serving(graphs, build, plans, interval_s=interval_s))
            if clients.workflows is not None:
                from gateway.reconciliation import open_reconciliation  # noqa: PLC0415 - it is kept beside workflows
                from gateway.writes.gauges import WorkflowGauges  # noqa: PLC0415 - as above

                clients.reconciliation = await stack.enter_async_context(
                    open_reconciliation(settings, engine, clients.workflows, events.log, contracts.classified)
                )
                gauges = WorkflowGauges(clients.workflows, clients.reconciliation, metrics.registry)
                metrics.refresh = (*metrics.refresh, gauges.refresh)
            ingest.app = EventIngest(events.log, events.dead_letters, contracts, secret=internal_secret)
            feed.app = EventFeed(
                events.log,
                events.streams,
                contracts,
                secret=internal_secret,
                settings=FeedSettings(keys=settings.events.feed_keys),
                recognise=feed_readers(credentials, clients.sights),
                stopping=drain.begun,
            )
            await stack.enter_async_context(webhooks.delivering())
            watching = asyncio.create_task(
                SourceWatch(events.log, events.notes, clients.wellness).run(), name="source watch"
            )
            stack.callback(watching.cancel)
            await stack.enter_async_context(callbacks.serving())
            await stack.enter_async_context(metrics.telling())
            yield

    def door(behind: EngineRef, contract: str | None) -> ASGIApp:
        return graphql_app(
            behind,
            settings=transport,
            authenticate=Confined(credentials, contract),
            drain=drain,
            page=page.page if contract is None else None,
            callbacks=callbacks,
            load=load,
            meter=meter,
            rates=rates,
            unsent=unsent,
        )

    contract_paths = _contract_paths(engine, settings, door)
    app = routes(
        {
            "/": page.page,
            "/console/": page.assets,
            "/graphql": door(engine, None),
            **contract_paths,
            "/events": ingest,
            "/events/feed": feed,
            "/health": health,
            "/metrics": _metrics(metrics, settings, credentials),
            "/ready": readiness(drain),
        },
        websockets={"/graphql", *contract_paths},
        lifespan=lifespan,
        limits=transport,
    )
    return Gateway(app=app, drain=drain, transport=transport)


def _metrics(metrics: Metrics, settings: Settings, credentials: Credentials) -> ASGIApp:
    """Metrics tell of every system and caller: for whoever has their key, or may see operations; in a sandbox for all."""
    if settings.metrics.key is None and settings.access.policy is AccessPolicy.DEVELOPMENT:
        return metrics
    return for_watchers(metrics, settings.metrics.key, credentials)


def _state_of(load: Load, plans: tuple[int, int], reading: ReadBudget, unsent: UnsentAnswers) -> GatewayState:
    kept, waiting = plans
    return GatewayState(
        requests=load.now,
        most_requests=load.most,
        plans=kept,
        plans_waiting=waiting,
        reading_bytes=reading.taken_bytes,
        most_reading_bytes=reading.most_bytes,
        reading_waiting=len(reading.waiting),
        reading_pauses=reading.pauses,
        unsent_bytes=unsent.held_bytes,
        most_unsent_bytes=unsent.most_bytes,
    )


@dataclass(slots=True)
class _Later:
    """An application that exists once the process has started."""

    app: ASGIApp | None = field(default=None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        await self.app(scope, receive, send)


def _build_engine(
    graphs: Graphs,
    *,
    settings: Settings,
    clients: SubgraphClients,
    policies: PolicyPort,
    meter: RequestMeter,
    trusted: TrustedDocuments,
    contracts: Mapping[str, TrustedDocuments],
) -> Built:
    """Return the engine of a supergraph, with one for each contract over the same clients."""
    opened = clients.open(graphs.whole)
    subgraphs = opened.clients
    access = settings.access
    overrides = overrides_of(settings)
    if undecided := overrides.undecided(graphs.whole.override_labels):
        meaning = "these labels of @override are never active; say in [overrides] for whom they are"
        _LOG.warning("override_labels_undecided", extra={"labels": sorted(undecided), "meaning": meaning})

    def engine(graph: Supergraph, limits: EngineLimits, documents: TrustedDocuments, **more: Any) -> Engine:
        return Engine(
            graph,
            subgraphs,
            profiles=clients.profiles,
            documents=RememberedDocuments(),
            choose_labels=overrides,
            limits=limits,
            turns=clients.turns,
            meter=meter,
            policies=policies,
            classes={name: frozenset(roles) for name, roles in access.classes.items()},
            varies_by=clients.forwarded_headers,
            trusted=documents,
            announcing=clients.own,
            **more,
        )

    limits = EngineLimits(
        deadline_s=settings.request.deadline_s,
        cached_operations=settings.plans.kept,
        document=document_limits(settings),
        cost=settings.request.max_cost,
        explains_documents=access.by_policy(settings.request.explain_documents),
    )
    variants: dict[str, Engine] = {}
    for name, each in settings.contracts.items():
        own = replace(
            limits,
            document=document_limits(settings, name),
            cost=limits.cost if each.max_cost is None else each.max_cost,
            explains_documents=limits.explains_documents if each.explain_documents is None else each.explain_documents,
        )
        variants[name] = engine(graphs.variants[name], own, contracts[name])
    return Built(engine(graphs.whole, limits, trusted, variants=variants), partial(clients.use, opened))


def _contract_paths(engine: ReloadedEngine, settings: Settings, door: Callable[..., ASGIApp]) -> dict[str, ASGIApp]:
    """Return the doors to the contracts: `/graphql/<name>`."""

    def engine_of(name: str) -> EngineRef:
        return lambda: engine().variants[name]

    return {f"/graphql/{name}": door(engine_of(name), name) for name in settings.contracts}


def _trusted(table: str, mode: TrustMode, manifest: Path | None) -> TrustedDocuments:
    if mode in (TrustMode.ENFORCE, TrustMode.IDS) and manifest is None:
        raise SettingsRefused((f"`{table}` takes documents of a manifest only, but names no `manifest`.",))
    try:
        return read_manifest(manifest, mode)
    except ManifestInvalid as error:
        raise SettingsRefused((f"`{table}.manifest`: {error}.",)) from error


def _rates(settings: LimitsSettings) -> CallerRates | None:
    if settings.requests_per_s is None:
        return None
    rate = Rate(per_s=settings.requests_per_s, burst=settings.burst)
    if settings.redis_url is None:
        return CallerRates(rate)
    from redis.asyncio import Redis  # noqa: PLC0415 - only who shares its rates loads it

    return CallerRates(rate, Redis.from_url(settings.redis_url, socket_connect_timeout=1, socket_timeout=1))


def _warm_plans(settings: Settings, trusted: TrustedDocuments) -> WarmPlans:
    file = DocumentFile(settings.state.directory / "gateway" / "documents.json", most=settings.plans.remembered)
    return WarmPlans(
        file, shipped=settings.plans.documents, warm_s=settings.plans.warm_s, trusted=trusted.texts.values()
    )


def _credentials(settings: AccessSettings) -> Credentials:
    if not settings.lets_somebody_in:
        mend = 'name an issuer or a key, or say `policy = "development"` for a sandbox'
        raise SettingsRefused((f"`access`: nobody could call; {mend}.",))
    if settings.policy is AccessPolicy.DEVELOPMENT:
        _LOG.warning("access_development", extra={"meaning": "whoever has no credentials may see and do everything"})
    try:
        return Credentials(settings, Revocations(settings.revoked, issuers=settings.issuers))
    except RevocationsUnreadable as error:
        raise SettingsRefused((f"`access.revoked`: {error}.",)) from error


def _policies(settings: AccessSettings) -> PolicyPort:
    try:
        return load_policies(settings.policies)
    except PoliciesMissing as error:
        raise SettingsRefused((f"`access.policies`: {error}.",)) from error


def _contracts(settings: Settings) -> EventContracts:
    """Read the event contracts; they are compiled at once where events are known to be read."""
    path = settings.events.contracts
    if path is None:
        return EventContracts({})
    own_graph = any(each.in_process is not None for each in settings.subgraphs.values())
    try:
        contracts = EventContracts.load(path)
        if own_graph or settings.webhooks or settings.events.feed_keys:
            contracts.compile()
    except (OSError, ValueError) as error:
        raise SettingsRefused((f"`events.contracts`: {path}: {error}",)) from error
    return contracts


def _open_events(settings: Settings, meter: EventMeter) -> AbstractAsyncContextManager[Events]:
    retention = timedelta(days=settings.events.retention_days)
    if settings.events.redis_url is not None:
        from gateway.events.shared import shared_events  # noqa: PLC0415 - loads Redis's client

        return shared_events(settings.events.redis_url, retention=retention, meter=meter)
    return embedded_events(settings.state.directory / "gateway" / "events.sqlite", retention=retention, meter=meter)


def _read_query(settings: Settings) -> str:
    path = settings.console.query
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsRefused((f"`console.query`: {path} can't be read: {error}",)) from error


async def _open_writes(settings: Settings) -> WriteStore:
    if settings.writes.redis_url is not None:
        from gateway.writes.redis_store import RedisWriteStore  # noqa: PLC0415 - only where several gateways share one

        return await RedisWriteStore.open(settings.writes.redis_url, keep_s=settings.writes.keep_s)
    if settings.writes.postgres_url is not None:
        from gateway.writes.postgres_store import PostgresWriteStore  # noqa: PLC0415 - an extra that one gateway alone does without

        return await PostgresWriteStore.open(settings.writes.postgres_url, keep_s=settings.writes.keep_s)
    return SqliteWriteStore(settings.state.directory / "gateway" / "writes.sqlite", keep_s=settings.writes.keep_s)
