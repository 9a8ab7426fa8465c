"""Opens the reconciliation of a gateway: its store, the desk that the graph asks, and the events that tell of drift."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any, Protocol

from gateway.access.caller import Caller
from gateway.events.log import EventLog
from gateway.events.publish import publish_to
from gateway.execution.message import ABSENT, GraphQLRequest, GraphQLResponse
from gateway.settings import Settings
from gateway.writes.reconciliation.announcements import DriftAnnouncements
from gateway.writes.reconciliation.ask import Answer, Ask, AskFailure
from gateway.writes.reconciliation.desk import ReconciliationDesk, ReconciliationRules
from gateway.writes.reconciliation.store import DriftStore
from gateway.writes.reconciliation.tolerance import Tolerance, Tolerances
from gateway.writes.settings import ReconciliationSettings
from gateway.writes.workflows import tables
from gateway.writes.workflows.catalogue import KINDS
from gateway.writes.workflows.database import WorkflowDatabase, open_database
from gateway.writes.workflows.desk import WorkflowDesk

_SELF = Caller(subject="concord", is_unrestricted=True, is_background=True)
"""As whom runs ask: everything is compared, and systems answer people first."""


_ANEW = {"cache-control": "no-cache"}
"""What was kept of entities may be older than what is to be compared with it."""


class Answers(Protocol):
    """An engine."""

    async def execute(self, request: GraphQLRequest, caller: Caller) -> GraphQLResponse:
        """Answer a query."""


@asynccontextmanager
async def open_reconciliation(
    settings: Settings,
    engine: Callable[[], Answers],
    workflows: WorkflowDesk,
    log: EventLog,
    classified: Callable[[], Collection[str]],
) -> AsyncGenerator[ReconciliationDesk]:
    """Reconcile until the end of the context; drift is kept beside workflows. Raises `StoreFailed`.

    `classified` names the fields whose values events must not tell.
    """
    path = settings.state.directory / "gateway" / "workflow-records.sqlite"
    database = await asyncio.to_thread(open_database, path, settings.writes.postgres_url)
    store = await asyncio.to_thread(_store, database)
    desk = ReconciliationDesk(
        store,
        ask_of(engine),
        _rules(settings.reconciliation),
        workflows=workflows,
        mending=KINDS,
    )
    tasks = [
        asyncio.create_task(desk.serve_forever(), name="reconciliation"),
        asyncio.create_task(
            DriftAnnouncements(database, publish_to(log, classified)).tell_forever(), name="drift events"
        ),
    ]
    try:
        yield desk
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await desk.aclose()
        database.close()


def ask_of(engine: Callable[[], Answers]) -> Ask:
    """Return what asks the engine of the moment, as Concord itself and in the background."""

    async def ask(document: str, variables: Mapping[str, Any]) -> Answer:
        request = GraphQLRequest(query=document, variables=variables, headers=_ANEW)
        response = await engine().execute(request, _SELF)
        data = response.data
        return Answer(
            data=None if data is ABSENT else data,
            failures=[_failure(error.get("extensions", {})) for error in response.errors],
        )

    return ask


def _store(database: WorkflowDatabase) -> DriftStore:
    tables.create_tables(database)  # the workflows that mend are looked up beside the drift
    return DriftStore(database)


def _rules(settings: ReconciliationSettings) -> ReconciliationRules:
    known = Tolerances()
    return ReconciliationRules(
        interval_s=settings.interval_s,
        page_size=settings.page_size,
        parallel=settings.parallel,
        patience_s=settings.patience_s,
        tolerances=Tolerances(
            amounts=MappingProxyType(
                {
                    **known.amounts,
                    **{
                        name: Tolerance(amount=each.amount, percent=each.percent)
                        for name, each in settings.tolerances.items()
                    },
                }
            ),
            recognized_within_days=settings.recognized_within_days,
            legal_forms=settings.legal_forms or known.legal_forms,
            ignore_case=settings.ignore_case,
        ),
    )


def _failure(extensions: Mapping[str, Any]) -> AskFailure:
    after_ms = extensions.get("retryAfterMs")
    return AskFailure(
        code=str(extensions.get("code", "INTERNAL_SERVER_ERROR")),
        system=str(extensions.get("system", "gateway")),
        retry_after_s=None if after_ms is None else after_ms / 1000,
    )
