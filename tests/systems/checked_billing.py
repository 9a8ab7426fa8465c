"""The billing adaptor as `concord adaptor check` takes it: over our sandbox, localstripe and stripe-stateful-mock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from billing_processes import KEY, WEBHOOK_SECRET, sandbox_process
from localstripe import LOCALSTRIPE, localstripe
from stripe_stateful_mock import STATEFUL_MOCK, serve_stripe_stateful_mock

from subgraphs.billing.sandbox.process import sign_webhook
from subgraphs.billing.vendors.stripe import StripeAdaptor, stripe_client
from subgraphs.billing.vendors.stripe_dialect import STRIPE, StripeDialect
from subgraphs.billing.vendors.stripe_wire import StripeSignature
from subgraphs.kit.conformance.under_test import Connection, Poll, UnderTest, Webhook, Write
from subgraphs.kit.webhook import WebhookRequest

_KNOWN = 12
_EVENT = (
    b'{"id": "evt_1", "object": "event", "type": "customer.updated", "created": 1, "data": {"object": {"id": "cus_1"}}}'
)
_DOCUMENTS = {"answers_in_exact_types": "The adaptor reads Stripe's documents; the mirror maps them into records."}


def _connecting(dialect: StripeDialect) -> Any:
    @asynccontextmanager
    async def connect(to: Connection) -> AsyncIterator[StripeAdaptor]:
        key = "wrong" if to.is_credential_wrong else KEY
        async with stripe_client(to.url, key, timeout_s=10, dialect=dialect) as client:
            yield StripeAdaptor(client, dialect)

    return connect


async def _tests(url: str, dialect: StripeDialect, cannot: Mapping[str, str]) -> UnderTest[Any]:
    connect = _connecting(dialect)
    async with connect(Connection(url=url)) as adaptor:
        known = [
            (await adaptor.post("/v1/customers", {"name": f"Customer {number}"}, key=None))["id"]
            for number in range(_KNOWN)
        ]

    async def create(adaptor: Any, key: str) -> None:
        await adaptor.post("/v1/customers", {"name": key, "metadata": {"customer_reference": key}}, key=key)

    async def created(adaptor: Any, key: str) -> int:
        return sum(
            [
                customer.get("metadata", {}).get("customer_reference") == key
                for customer in await adaptor.list_all("/v1/customers")
            ]
        )

    async def change(adaptor: Any, number: int) -> str:
        customer = known[number % len(known)]
        await adaptor.post(f"/v1/customers/{customer}", {"name": f"Changed {number}"}, key=None)
        return customer

    async def poll(adaptor: Any, mark: str | None) -> tuple[Sequence[str], str | None]:
        """Read the vendor's own list of events, whose clock ticks in seconds."""
        events = await adaptor.events_since(int(mark) if mark else int(time.time()) - 3600)
        newest = max((event["created"] for event in events), default=mark)
        return [event["data"]["object"]["id"] for event in events], None if newest is None else str(newest)

    def sign(body: bytes, at: float) -> WebhookRequest:
        return WebhookRequest(
            method="POST",
            url="https://concord.example/webhooks/stripe",
            headers=dict(sign_webhook(WEBHOOK_SECRET, body, int(at))),
            body=body,
        )

    return UnderTest(
        name=f"{dialect.name} customers",
        url=url,
        connect=connect,
        known=known,
        absent=["cus_none"],
        key_of=lambda document: document["id"],
        writes=[] if "write" in cannot else [Write(name="create", carry_out=create, effects=created)],
        poll=None if "poll" in cannot else Poll(change=change, poll=poll),
        webhook=None
        if "webhook" in cannot
        else Webhook(verifier=StripeSignature(WEBHOOK_SECRET), body=_EVENT, sign=sign),
        cannot={**_DOCUMENTS, **cannot},
    )


@asynccontextmanager
async def sandbox() -> AsyncIterator[UnderTest[Any]]:
    """Stripe's customers over our sandbox."""
    with TemporaryDirectory() as folder:
        async with sandbox_process(Path(folder), CUSTOMERS=1) as process:
            yield await _tests(process.url, STRIPE, {})


@asynccontextmanager
async def local_stripe() -> AsyncIterator[UnderTest[Any]]:
    """Stripe's customers over localstripe."""
    async with localstripe() as url:
        cannot = {
            "write": "localstripe ignores Idempotency-Key, so no mutation is offered on it.",
            "webhook": "Checked over the sandbox: the signature does not depend on the server.",
        }
        yield await _tests(url, LOCALSTRIPE, cannot)


@asynccontextmanager
async def stateful_mock() -> AsyncIterator[UnderTest[Any]]:
    """Stripe's customers over stripe-stateful-mock."""
    with TemporaryDirectory() as folder:
        served = await asyncio.to_thread(serve_stripe_stateful_mock, Path(folder))
        try:
            cannot = {
                "poll": "stripe-stateful-mock has no events.",
                "webhook": "Checked over the sandbox: the signature does not depend on the server.",
            }
            yield await _tests(served.url, STATEFUL_MOCK, cannot)
        finally:
            await asyncio.to_thread(served.stop)
