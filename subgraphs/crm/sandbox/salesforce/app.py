"""Starts the Salesforce sandbox: state, org, routes behind a session. It pushes nothing; changes are polled."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware

from subgraphs.crm.sandbox.salesforce.changes import CrmChanges
from subgraphs.crm.sandbox.salesforce.fill import fill
from subgraphs.crm.sandbox.salesforce.org import Org
from subgraphs.crm.sandbox.salesforce.refusal import Refusal, respond, too_many_requests
from subgraphs.crm.sandbox.salesforce.routes import Routes
from subgraphs.crm.sandbox.salesforce.sessions import SessionRequired, Sessions
from subgraphs.crm.sandbox.settings import CrmSandboxSettings
from subgraphs.kit.company.generate import generate
from subgraphs.kit.sandbox.changes import Changes
from subgraphs.kit.sandbox.process import Sandbox
from subgraphs.kit.sandbox.state import State


@asynccontextmanager
async def start_salesforce(settings: CrmSandboxSettings) -> AsyncIterator[Sandbox]:
    """Open the org, filling it the first time, and serve it."""
    state = State.open(settings.state_dir / "salesforce.sqlite")
    fingerprint = f"{settings.seed}:{settings.customers}:{settings.today or ''}"
    is_new = state.begin_filling(fingerprint)
    org = Org(state)
    if is_new:
        with state.transaction():
            fill(state, org, generate(settings.seed, settings.customers, settings.history_end))
            state.end_filling(fingerprint)
    sessions = Sessions(settings.client_id, settings.token.get_secret_value(), lasts_s=settings.session_s)
    app = Starlette(
        routes=[sessions.route(), *Routes(org).all()],
        middleware=[Middleware(SessionRequired, sessions=sessions)],
        exception_handlers={Refusal: respond},
    )
    changes = Changes(
        CrmChanges(org).makers(), seed=settings.seed, next_number=lambda: state.next_number("simulated_change")
    )
    try:
        yield Sandbox(app=app, too_many_requests=too_many_requests, changes=changes)
    finally:
        state.close()
