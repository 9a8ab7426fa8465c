"""The clients of all subgraphs: each with its policies around it, kept while supergraphs come and go."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.access.classified import ClassifiedNames
from gateway.access.identity import CallerSigner
from gateway.access.kept_caller import caller_key, caller_to_json
from gateway.access.rules import classified_fields
from gateway.cache.cached_entities import CachedEntities
from gateway.entity_caching import EntityCaching
from gateway.errors import REGISTRY
from gateway.events.dead_letter_desk import DeadLetterDesk
from gateway.events.embedded import Events
from gateway.events.sight import SightRules, Sights
from gateway.events.webhooks import Webhooks
from gateway.execution.correlation import correlation_id
from gateway.execution.located import SubgraphProfile
from gateway.execution.ports import CallerView, RequestContext, SubgraphClient
from gateway.federation.ownership import Ownership
from gateway.federation.supergraph import Supergraph
from gateway.graph.entity_lookup import SubgraphEntityLookup
from gateway.graph.systems import SystemState, SystemStatus
from gateway.settings import Settings, SettingsRefused
from gateway.settings_tables import SubgraphSettings
from gateway.telemetry.gateway_metrics import SubgraphState
from gateway.transport.resume import CURSOR_HEADER
from gateway.upstream.breaker import CircuitBreaker
from gateway.upstream.bulkhead import Bulkhead
from gateway.upstream.coalesce import Coalesced
from gateway.upstream.crowd import Crowd
from gateway.upstream.deadline import Deadlined
from gateway.upstream.direct import Direct
from gateway.upstream.headers import Headered
from gateway.upstream.lean_transport import LeanTransport
from gateway.upstream.measured import Measured
from gateway.upstream.remote import remote_subgraph
from gateway.upstream.replicas import Replicas
from gateway.upstream.retry import Retried
from gateway.upstream.tls import TlsFiles, TlsFilesRefused
from gateway.upstream.turns import Turns
from gateway.writes.doubt import Doubt
from gateway.writes.idempotent import IdempotentWrites
from gateway.writes.store import WriteStore

if TYPE_CHECKING:
    from gateway.graph.context import GraphContext
    from gateway.writes.reconciliation.desk import ReconciliationDesk
    from gateway.writes.workflows.desk import WorkflowDesk

_WAITING = 0.25
"""Part of the requests in flight that may wait for one subgraph as long as their deadlines allow."""
_SIGHT_S = 10.0
"""How long the owner of customers may take to say whom a caller may see."""


class SubgraphClients:
    """Opens a client for each subgraph that a supergraph names, and tells how their systems are."""

    def __init__(
        self,
        settings: Settings,
        ownership: Ownership | None,
        events: Events,
        desk: DeadLetterDesk,
        webhooks: Webhooks,
        writes: WriteStore,
        caching: EntityCaching | None = None,
        *,
        internal_secret: str,
    ) -> None:
        """`internal_secret` signs for whom subgraphs are asked."""
        self._settings = settings
        self._internal_secret = internal_secret
        self._caching = caching
        self._events = events
        self._desk = desk
        self._webhooks = webhooks
        self._writes = writes
        self._clients: dict[str, SubgraphClient] = {}
        self._urls: dict[str, str] = {}
        """Subgraph → its address in the supergraph, which the configuration may have another for."""
        self._retired: list[SubgraphClient] = []
        self._breakers: dict[str, CircuitBreaker] = {}
        self._bulkheads: dict[str, Bulkhead] = {}
        self._measured: dict[str, Measured] = {}
        self._cached: dict[str, CachedEntities] = {}
        self.own = frozenset(name for name, each in settings.subgraphs.items() if each.in_process is not None)
        """Names of the subgraphs in this process."""
        self._supergraph: Supergraph | None = None
        self.sights = Sights(
            self._visible_customers,
            SightRules(regions=settings.events.regions, tenants_confine=settings.events.tenants_confine),
        )
        """What of the events callers see, as the owner of customers says."""
        self.classified = ClassifiedNames(
            {}, {name: frozenset(roles) for name, roles in settings.access.classes.items()}
        )
        """What is told masked where it is no field of its own."""
        self.workflows: WorkflowDesk | None = None
        """Set once it is open: workflows reach the systems through these clients."""
        self.reconciliation: ReconciliationDesk | None = None
        """Set once it is open: it asks the engine that is built of these clients."""
        self.turns = Turns()
        """Lets requests start one by one, after what is under way."""
        profiles = {name: _profile(name, subgraph, ownership) for name, subgraph in settings.subgraphs.items()}
        others = {each.system: each.owner for name, each in profiles.items() if name not in self.own}
        self.profiles: Mapping[str, SubgraphProfile] = {
            name: replace(each, speaks_for=_spoken_for(settings.subgraphs[name], others))
            for name, each in profiles.items()
        }
        """Subgraph → what errors say about it."""

    def open(self, supergraph: Supergraph) -> Mapping[str, SubgraphClient]:
        """Return the clients of a supergraph's subgraphs; those known from an earlier one are the same, unless they moved."""
        self._supergraph = supergraph
        self.classified = replace(self.classified, fields=classified_fields(supergraph))
        if self._caching is not None:
            self._caching.use(supergraph)
        for name, subgraph in supergraph.subgraphs.items():
            if self._urls.get(name) != subgraph.url:
                if name in self._clients:
                    self._retired.append(self._clients[name])  # what is in flight goes on
                self._clients[name] = self._client(name, subgraph.url)
                self._urls[name] = subgraph.url
        return {name: self._clients[name] for name in supergraph.subgraphs}

    def classified_names(self) -> Collection[str]:
        """Return the names of the fields of the graph whose values only some may read."""
        return self.classified.fields.keys()

    def by_subgraph(self) -> Mapping[str, SubgraphClient]:
        """Return all clients that are open."""
        return self._clients

    @property
    def forwarded_headers(self) -> Sequence[str]:
        """Names of the client's headers that some subgraph is told, in lower case."""
        return sorted({name.lower() for each in self._settings.subgraphs.values() for name in each.forward_headers})

    async def wellness(self) -> Mapping[str, bool]:
        """Return whether each system is well, by name; those that were not asked lately, or answer in part, are left out."""
        known = {SystemStatus.UP: True, SystemStatus.DOWN: False}
        return {each.name: known[each.status] for each in await self.systems() if each.status in known}

    async def systems(self) -> Sequence[SystemState]:
        """Return the systems behind the graph, as their circuit breakers see them."""
        return [
            SystemState(name=profile.system, owner=profile.owner, status=self._status(name))
            for name, profile in self.profiles.items()
        ]

    def states(self) -> Mapping[str, SubgraphState]:
        """Return what each subgraph's client has done and is doing, for the metrics."""
        found: dict[str, SubgraphState] = {}
        for name, measured in self._measured.items():
            bulkhead, breaker, cached = self._bulkheads.get(name), self._breakers.get(name), self._cached.get(name)
            found[name] = SubgraphState(
                answered=measured.answered,
                failed=measured.failed,
                under_way=0 if bulkhead is None else bulkhead.most - bulkhead.free,
                waiting=0 if bulkhead is None else len(bulkhead.waiting),
                is_refused=breaker is not None and breaker.is_open,
                entities={"cache": cached.kept, "stale": cached.stale, "owner": cached.read}
                if cached is not None and cached.keeps
                else {},
            )
        return found

    async def aclose(self) -> None:
        """Close every client."""
        for client in (*self._clients.values(), *self._retired):
            await client.aclose()

    def _status(self, name: str) -> SystemStatus:
        breaker = self._breakers.get(name)
        if breaker is None:
            return SystemStatus.UP if name in self._clients else SystemStatus.UNKNOWN
        if breaker.is_open or 0 < breaker.fetched == breaker.failures:
            return SystemStatus.DOWN
        if breaker.failures:
            return SystemStatus.DEGRADED
        return SystemStatus.UP if breaker.fetched else SystemStatus.UNKNOWN

    def _client(self, name: str, url: str) -> SubgraphClient:
        configured = self._settings.subgraphs.get(name)
        if configured is not None and configured.in_process is not None:
            from gateway.graph.client import GatewayGraph  # noqa: PLC0415 - loads strawberry

            own = self._measured[name] = Measured(GatewayGraph(make_context=self._graph_context))
            return own if self._caching is None else self._caching.around(own, name, is_in_process=True)
        settings = configured or SubgraphSettings(url=url)
        # Outermost last: each policy is a client around the one before.
        replicas = [
            remote_subgraph(
                each,
                max_connections=settings.max_connections,
                identify=CallerSigner(self._internal_secret, name) if settings.tell_caller else None,
                trust=trust_of(name, settings),
            )
            for each in settings.urls or (url,)
        ]
        http = replicas[0]
        is_alone = len(replicas) == 1
        measured = self._measured[name] = Measured(http if is_alone else Replicas(replicas))
        crowd = Crowd(most=max(1, int(self._settings.limits.in_flight * _WAITING)))
        deadlined = Deadlined(measured, timeout_s=settings.timeout_s)
        bulkhead = self._bulkheads[name] = Bulkhead(deadlined, most=settings.max_connections, crowd=crowd)
        breaker = self._breakers[name] = CircuitBreaker(bulkhead, opened=bulkhead.turn_away)
        retried = Retried(breaker)
        coalesced = Coalesced(IdempotentWrites(retried, self._writes, self._settle), crowd=crowd)
        cached: SubgraphClient = coalesced
        if self._caching is not None:
            cached = self._cached[name] = self._caching.around(coalesced, name, crowd=crowd)
        headered = Headered(cached, fixed=settings.headers, forwarded=settings.forward_headers)
        if not is_alone or not isinstance(http.transport, LeanTransport):
            return headered
        return Direct(
            http,
            http.transport,
            measured=measured,
            deadlined=deadlined,
            bulkhead=bulkhead,
            breaker=breaker,
            retried=retried,
            coalesced=coalesced,
            headered=headered,
            keeps=cached if isinstance(cached, CachedEntities) and cached.keeps else None,
        )

    async def _visible_customers(self, caller: CallerView, customers: Sequence[str]) -> frozenset[str]:
        """Return which of these customers a caller may see. Raises `GatewayError` with a SYSTEM_* code."""
        assert self._supergraph is not None
        context = RequestContext(
            correlation_id=correlation_id(None),
            deadline=asyncio.get_running_loop().time() + _SIGHT_S,
            caller=caller,
            reads_anew=True,
        )
        find = SubgraphEntityLookup(self._supergraph, self._clients, context, self.profiles, self.own)
        found = await find("Customer", [{"id": each} for each in customers], "id")
        return frozenset(each for each, current in zip(customers, found, strict=True) if current is not None)

    async def _settle(self, doubt: Doubt) -> str | None:
        """Give a write in doubt to the workflows, if the gateway carries any, with whose it is."""
        if self.workflows is None:
            return None
        from gateway.writes.in_doubt import settle  # noqa: PLC0415 - only where workflows are carried

        caller = doubt.context.caller
        return await settle(self.workflows, doubt, caller_to_json(caller), caller_key(caller))

    async def _graph_context(self, context: RequestContext) -> GraphContext:
        """What the gateway's own graph needs: it asks the other subgraphs whether entities exist."""
        from gateway.graph.context import GraphContext  # noqa: PLC0415 - as above

        assert self._supergraph is not None
        return GraphContext(
            log=self._events.log,
            streams=self._events.streams,
            desk=self._desk,
            consumers=self._events.consumers,
            webhooks=self._webhooks,
            look_up=SubgraphEntityLookup(self._supergraph, self._clients, context, self.profiles, self.own),
            directory=self,
            request=context,
            workflows=self.workflows,
            reconciliation=self.reconciliation,
            sight=self.sights.of(context.caller),
            hidden=self.classified.hidden_from(context.caller),
            resume_after=context.headers.get(CURSOR_HEADER) or None,
        )


def trust_of(name: str, settings: SubgraphSettings) -> ssl.SSLContext | None:
    """Return what connections to a subgraph are made with, where its table names certificates. Raises SettingsRefused."""
    files = TlsFiles(authority=settings.tls_authority, certificate=settings.tls_certificate, key=settings.tls_key)
    if files == TlsFiles():
        return None
    try:
        return files.context()
    except TlsFilesRefused as error:
        raise SettingsRefused((f"`subgraphs.{name}`: {error}.",)) from error


def _spoken_for(subgraph: SubgraphSettings, owners: Mapping[str, str | None]) -> Mapping[str, str | None]:
    """Return the other systems whose failures a subgraph may tell of, with their owners; what we say ourselves is of any."""
    if subgraph.in_process is not None:
        return owners
    return {system: owner for system, owner in owners.items() if system in subgraph.speaks_for}


def _profile(name: str, subgraph: SubgraphSettings, ownership: Ownership | None) -> SubgraphProfile:
    """What errors say: the system and team of the ownership table, where the configuration says nothing else."""
    system = ownership.system_of_subgraph(name) if ownership is not None else None
    return SubgraphProfile(
        name=name,
        system=subgraph.system or (system.name if system else name),
        owner=subgraph.owner or (system.team if system else None),
        # What this process says itself is safe to show as it is.
        shown_codes=frozenset(REGISTRY) if subgraph.in_process else subgraph.shown_codes,
    )
