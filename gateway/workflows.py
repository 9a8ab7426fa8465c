"""Opens the workflows of a gateway: their store, a worker, the desk that the graph asks, and the events that tell of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

from gateway.access.caller import Caller
from gateway.access.kept_caller import caller_from_json
from gateway.events.log import EventFilter, EventLog, PositionExpired, StoreUnavailable
from gateway.events.publish import publish_to
from gateway.execution.located import SubgraphProfile
from gateway.execution.ports import SubgraphClient
from gateway.federation.ownership import Ownership
from gateway.settings import Settings
from gateway.writes.in_doubt import definitions_of
from gateway.writes.settings import PricingSettings
from gateway.writes.workflows.announcements import WorkflowAnnouncements
from gateway.writes.workflows.catalogue import definitions
from gateway.writes.workflows.database import open_database
from gateway.writes.workflows.definition import RECOVERED, Definition
from gateway.writes.workflows.desk import WorkflowDesk
from gateway.writes.workflows.pricing import Authority, Pricing, PricingPolicy, PricingRule
from gateway.writes.workflows.store import WorkflowStore
from gateway.writes.workflows.subgraph_calls import SubgraphCalls
from gateway.writes.workflows.worker import Worker, WorkerSettings

_LOG = logging.getLogger("concord.workflows")
_EVENTS_AT_ONCE = 200
_PAUSE_S = 1.0
_SELF = Caller(subject="concord")
"""Whom the systems see: a workflow goes on when the person who asked for it is long gone."""


class Clients(Protocol):
    """The subgraphs, and what errors say about them."""

    profiles: Mapping[str, SubgraphProfile]

    def by_subgraph(self) -> Mapping[str, SubgraphClient]:
        """Return all clients that are open."""


@asynccontextmanager
async def open_workflows(
    settings: Settings, ownership: Ownership | None, clients: Clients, log: EventLog
) -> AsyncGenerator[WorkflowDesk]:
    """Carry workflows until the end of the context. Raises `StoreFailed`."""
    folder = settings.state.directory / "gateway"
    postgres_url = settings.writes.postgres_url
    database = await asyncio.to_thread(open_database, folder / "workflow-records.sqlite", postgres_url)
    store = await asyncio.to_thread(WorkflowStore, database)
    owners_of_writes = [name for name, each in settings.subgraphs.items() if each.in_process is None]
    kinds = {
        **definitions(pricing_of(settings.workflows.pricing)),
        **definitions_of(owners_of_writes, clients.by_subgraph, clients.profiles, caller_from_json),
    }
    calls = SubgraphCalls(clients.by_subgraph, clients.profiles, _SELF)
    worker = Worker(
        WorkerSettings(
            engine_url=postgres_url or f"sqlite:///{folder / 'workflow-engine.sqlite'}",
            lease_s=settings.workflows.lease_s,
        ),
        store,
        kinds,
        calls,
        {} if ownership is None else {system.name: system.team for system in ownership.systems if system.team},
    )
    desk = WorkflowDesk(store, worker, kinds, calls, approval_above=settings.workflows.approval_above)
    tasks = [
        asyncio.create_task(worker.serve_forever(), name="workflow worker"),
        asyncio.create_task(WorkflowAnnouncements(database, publish_to(log)).tell_forever(), name="workflow events"),
        asyncio.create_task(advance(log, worker, kinds), name="workflows advance"),
    ]
    try:
        yield desk
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await worker.aclose()
        database.close()


def pricing_of(settings: PricingSettings) -> Pricing:
    """Return who prices changes of contracts. Call it on the event loop."""
    policy = PricingPolicy(
        rules=tuple(
            PricingRule(authority=Authority(rule.authority), products=rule.products, above=rule.above)
            for rule in settings.rules
        ),
        otherwise=Authority(settings.authority),
    )
    if settings.cpq_url is None or not policy.may_ask_cpq:
        return Pricing(policy=policy)
    from gateway.upstream.httpx_transport import HttpxTransport  # noqa: PLC0415 - only where there is such a service
    from gateway.writes.workflows.cpq import CpqService  # noqa: PLC0415 - as above

    transport = HttpxTransport(settings.cpq_url, max_connections=8)
    return Pricing(policy=policy, cpq=CpqService(transport, token=settings.cpq_token, timeout_s=settings.cpq_timeout_s))


async def advance(log: EventLog, worker: Worker, kinds: Mapping[str, Definition]) -> None:
    """Let the workflows that wait go on as events tell that they can, in whatever order and however often. Never returns."""
    types = frozenset({RECOVERED}).union(*(step.awaits for kind in kinds.values() for step in kind.steps))
    wanted, position = EventFilter(types=types), log.bounds().head
    while True:
        try:
            page = await log.read(position, wanted, _EVENTS_AT_ONCE)
            worker.hear(recorded.event.type for recorded in page.events)
            position = page.position if not page.complete else await log.wait(page.position, wanted)
        except PositionExpired:
            position = log.bounds().head
            worker.hear(types)  # nobody knows what was missed
        except StoreUnavailable as error:
            _LOG.warning("workflow_events_unavailable", extra={"reason": str(error)})
            await asyncio.sleep(_PAUSE_S)
