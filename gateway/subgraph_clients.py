"""The clients of all subgraphs: each with its policies around it, kept while supergraphs come and go."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gateway.access.classified import ClassifiedNames
from gateway.access.kept_caller import caller_key, caller_to_json
from gateway.access.rules import classified_fields
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
from gateway.open_subgraph import Opening, OpenSubgraph
from gateway.settings import Settings
from gateway.telemetry.gateway_metrics import SubgraphState
from gateway.transport.resume import CURSOR_HEADER
from gateway.upstream.kept import Room
from gateway.upstream.measured import Measured
from gateway.upstream.read_budget import ReadBudget
from gateway.upstream.settings import SubgraphSettings
from gateway.upstream.turns import Turns
from gateway.writes.doubt import Doubt
from gateway.writes.store import WriteStore

if TYPE_CHECKING:
    from gateway.graph.context import GraphContext
    from gateway.writes.reconciliation.desk import ReconciliationDesk
    from gateway.writes.workflows.desk import WorkflowDesk

_LOOK_S = 1.0
"""How often a client that was replaced is looked at."""
_SIGHT_S = 10.0
"""How long the owner of customers may take to say whom a caller may see."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A supergraph with its subgraphs open."""

    supergraph: Supergraph
    subgraphs: Mapping[str, OpenSubgraph]

    @property
    def clients(self) -> Mapping[str, SubgraphClient]:
        """The clients by subgraph."""
        return {name: each.client for name, each in self.subgraphs.items()}


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
        room: Room | None = None,
    ) -> None:
        """`internal_secret` signs for whom subgraphs are asked; `room` is where large answers go."""
        self._settings = settings
        self._caching = caching
        self._events = events
        self._desk = desk
        self._webhooks = webhooks
        self.reading = ReadBudget(settings.limits.reading_bytes, room)
        """Large answers that are being read, over all subgraphs."""
        self._opening = Opening(
            settings=settings,
            internal_secret=internal_secret,
            caching=caching,
            writes=writes,
            settle=self._settle,
            reading=self.reading,
        )
        self._open: dict[str, OpenSubgraph] = {}
        self._clients: dict[str, SubgraphClient] = {}
        self._retired: dict[OpenSubgraph, asyncio.Task[None]] = {}
        """What others have replaced, and what closes it once nobody is at it any more."""
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

    def open(self, supergraph: Supergraph) -> Opened:
        """Open a supergraph's subgraphs; those known from an earlier one are the same, unless they moved.

        Nothing is served by them before `use`. Raises SettingsRefused.
        """
        subgraphs: dict[str, OpenSubgraph] = {}
        for name, subgraph in supergraph.subgraphs.items():
            known = self._open.get(name)
            is_known = known is not None and (known.url == subgraph.url or name in self.own)
            subgraphs[name] = known if is_known and known is not None else self._opened(name, subgraph.url)
        return Opened(supergraph, subgraphs)

    def use(self, opened: Opened) -> None:
        """Serve an opened supergraph from here on."""
        self._supergraph = opened.supergraph
        self.classified = replace(self.classified, fields=classified_fields(opened.supergraph))
        if self._caching is not None:
            self._caching.use(opened.supergraph)
        for name, each in opened.subgraphs.items():
            replaced = self._open.get(name)
            if replaced is not None and replaced is not each:
                self._retired[replaced] = asyncio.create_task(self._retire(replaced), name=f"{name} retires")
            self._open[name] = each
            self._clients[name] = each.client

    async def _retire(self, replaced: OpenSubgraph) -> None:
        """Close a client when requests that began with it are over, and whatever else goes on over it."""
        pause_s = self._settings.request.deadline_s
        while True:
            await asyncio.sleep(pause_s)
            if replaced.is_idle:
                break
            pause_s = _LOOK_S
        await replaced.client.aclose()
        del self._retired[replaced]

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
        return {name: each.state for name, each in self._open.items()}

    async def aclose(self) -> None:
        """Close every client."""
        for closing in self._retired.values():
            closing.cancel()
        for each in (*self._open.values(), *self._retired):
            await each.client.aclose()

    def _status(self, name: str) -> SystemStatus:
        known = self._open.get(name)
        if known is None:
            return SystemStatus.UNKNOWN
        breaker = known.breaker
        if breaker is None:
            return SystemStatus.UP
        if breaker.is_open or 0 < breaker.fetched == breaker.failures:
            return SystemStatus.DOWN
        if breaker.failures:
            return SystemStatus.DEGRADED
        return SystemStatus.UP if breaker.fetched else SystemStatus.UNKNOWN

    def _opened(self, name: str, url: str) -> OpenSubgraph:
        if name not in self.own:
            return self._opening.open(name, url)
        from gateway.graph.client import GatewayGraph  # noqa: PLC0415 - loads strawberry

        measured = Measured(GatewayGraph(make_context=self._graph_context))
        client = measured if self._caching is None else self._caching.around(measured, name, is_in_process=True)
        return OpenSubgraph(client=client, url=url, measured=measured)

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
