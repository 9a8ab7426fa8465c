"""The sandbox as a process: state, history, API, webhooks."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from starlette.responses import JSONResponse, Response

from subgraphs.billing.sandbox.account import Account
from subgraphs.billing.sandbox.api import StripeApi
from subgraphs.billing.sandbox.changes import BillingChanges
from subgraphs.billing.sandbox.clockwork import run_clock
from subgraphs.billing.sandbox.history import fill
from subgraphs.billing.sandbox.objects.customer import webhook_endpoint
from subgraphs.billing.sandbox.settings import BillingSandboxSettings
from subgraphs.billing.sandbox.store import Store
from subgraphs.kit.background import background
from subgraphs.kit.company.generate import generate
from subgraphs.kit.sandbox.changes import Changes
from subgraphs.kit.sandbox.process import Sandbox, run_sandbox
from subgraphs.kit.sandbox.state import State
from subgraphs.kit.sandbox.webhooks import WebhookSender


def sign_webhook(secret: str, body: bytes, at: int) -> Mapping[str, str]:
    """Return the headers of a delivery; https://docs.stripe.com/webhooks#verify-manually"""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return {
        "content-type": "application/json; charset=utf-8",
        "stripe-signature": f"t={at},v1={digest}",
        "user-agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
    }


def _pack(events: Sequence[Any]) -> bytes:
    return orjson.dumps(events[0], option=orjson.OPT_INDENT_2)


def _too_many_requests() -> Response:
    message = "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits."
    error = {"message": message, "type": "invalid_request_error", "code": "rate_limit"}
    return JSONResponse({"error": error}, status_code=429, headers={"retry-after": "1", "stripe-should-retry": "true"})


@asynccontextmanager
async def start(settings: BillingSandboxSettings) -> AsyncIterator[Sandbox]:
    """Open or fill the account, and keep its clock running."""
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    store = Store(settings.state_dir / "stripe.sqlite")
    deliveries = State.open(settings.state_dir / "webhooks.sqlite")
    today = settings.history_end
    filled_for = f"{settings.seed}:{settings.customers}:{settings.today}"
    if store.fact("filled") != filled_for:
        company = generate(settings.seed, settings.customers, today)
        with store.transaction():
            store.clear()
            fill(store, company)
            store.remember("filled", filled_for)
    secret = settings.webhook_secret.get_secret_value()
    with store.transaction():
        store.delete("we_1Configured")
        if settings.webhook_url:
            store.put(webhook_endpoint("we_1Configured", settings.webhook_url, ["*"], int(time.time())))
    sender = WebhookSender(
        deliveries,
        url=settings.webhook_url,
        pack=_pack,
        sign=lambda _url, body: sign_webhook(secret, body, int(time.time())),
    )
    account = Account(store)
    key = settings.token.get_secret_value()
    api = StripeApi(account, key, sender.enqueue)
    changes = Changes(
        BillingChanges(store, api, key).makers(),
        seed=settings.seed,
        next_number=lambda: deliveries.next_number("simulated_change"),
    )
    async with background(lambda: run_clock(account, sender.enqueue)):
        yield Sandbox(app=api, webhooks=sender, too_many_requests=_too_many_requests, changes=changes)
    store.close()
    deliveries.close()


def main() -> None:
    """Serve the sandbox."""
    run_sandbox("billing", BillingSandboxSettings, start)
