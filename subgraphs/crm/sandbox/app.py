"""Starts the CRM's sandbox; HubSpot's is a state, a portal, routes behind a Bearer token, webhooks with signature v3."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, assert_never

import orjson
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from subgraphs.crm.sandbox.changes import CrmChanges
from subgraphs.crm.sandbox.fill import fill
from subgraphs.crm.sandbox.portal import Portal
from subgraphs.crm.sandbox.refusal import Refusal, respond, too_many_requests
from subgraphs.crm.sandbox.routes import Routes
from subgraphs.crm.sandbox.salesforce.app import start_salesforce
from subgraphs.crm.sandbox.settings import CrmSandboxSettings
from subgraphs.kit.company.generate import generate
from subgraphs.kit.sandbox.changes import Changes
from subgraphs.kit.sandbox.process import Sandbox, run_sandbox
from subgraphs.kit.sandbox.state import State
from subgraphs.kit.sandbox.webhooks import WebhookSender

_WEBHOOK_BATCH = 100


class _SearchLimit:
    """At most so many searches within a second."""

    def __init__(self, per_s: float | None) -> None:
        self._per_s = per_s
        self._recent: deque[float] = deque()

    def __call__(self) -> bool:
        if self._per_s is None:
            return True
        at = time.monotonic()
        while self._recent and self._recent[0] <= at - 1:
            self._recent.popleft()
        if len(self._recent) >= self._per_s:
            return False
        self._recent.append(at)
        return True


class _BearerToken:
    """Refuses requests without the portal's access token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            given = dict(scope["headers"]).get(b"authorization", b"")
            if not hmac.compare_digest(given, self._expected):
                refusal = Refusal(
                    401,
                    "Authentication credentials not found. This API supports OAuth 2.0 authentication.",
                    category="INVALID_AUTHENTICATION",
                )
                await JSONResponse(refusal.to_json(), 401)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def sign(secret: str, url: str, body: bytes, at: float | None = None) -> Mapping[str, str]:
    """Return the headers of a webhook request signed now, or at an instant. https://developers.hubspot.com/docs/api/webhooks/validating-requests"""
    timestamp = str(int((time.time() if at is None else at) * 1000))
    text = b"POST" + url.encode() + body + timestamp.encode()
    digest = hmac.new(secret.encode(), text, hashlib.sha256).digest()
    return {
        "X-HubSpot-Signature-v3": base64.b64encode(digest).decode(),
        "X-HubSpot-Request-Timestamp": timestamp,
    }


def _pack(events: Sequence[Any]) -> bytes:
    return orjson.dumps(list(events))


@asynccontextmanager
async def start_hubspot(settings: CrmSandboxSettings) -> AsyncIterator[Sandbox]:
    """Open the portal, filling it the first time, and serve it."""
    state = State.open(settings.state_dir / "hubspot.sqlite")
    secret = settings.webhook_secret.get_secret_value()
    fingerprint = f"{settings.seed}:{settings.customers}:{settings.today or ''}"
    is_new = state.begin_filling(fingerprint)
    sender = WebhookSender(
        state,
        url=settings.webhook_url,
        pack=_pack,
        sign=lambda url, body: sign(secret, url, body),
        batch=_WEBHOOK_BATCH,
    )
    portal = Portal(state, sender.enqueue)
    if is_new:
        with state.transaction():
            fill(state, portal, generate(settings.seed, settings.customers, settings.history_end))
            state.end_filling(fingerprint)
    app = Starlette(
        routes=Routes(portal, _SearchLimit(settings.searches_per_s)).all(),
        middleware=[Middleware(_BearerToken, token=settings.token.get_secret_value())],
        exception_handlers={Refusal: respond},
    )
    changes = Changes(
        CrmChanges(portal).makers(), seed=settings.seed, next_number=lambda: state.next_number("simulated_change")
    )
    try:
        yield Sandbox(app=app, webhooks=sender, too_many_requests=too_many_requests, changes=changes)
    finally:
        state.close()


def start(settings: CrmSandboxSettings) -> AbstractAsyncContextManager[Sandbox]:
    """Start the sandbox of the vendor that the settings name."""
    match settings.vendor:
        case "hubspot":
            return start_hubspot(settings)
        case "salesforce":
            return start_salesforce(settings)
        case other:
            assert_never(other)


def main() -> None:
    """Serve the sandbox as this process."""
    run_sandbox("crm", CrmSandboxSettings, start)
