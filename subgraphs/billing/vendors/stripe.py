"""The adaptor to Stripe's API: single reads, lists, events, and writes with Stripe's own idempotency key.

Stripe has no read by several ids, so `read` fans out within a bound; everything a query needs is answered from the
mirror (`stripe_mirror`) that this adaptor fills. https://docs.stripe.com/api
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias
from urllib.parse import quote

from subgraphs.billing.vendors.stripe_dialect import STEPS, STRIPE, StripeDialect
from subgraphs.billing.vendors.stripe_mapping import API_VERSION
from subgraphs.billing.vendors.stripe_wire import FormValue, encode_form, form_params, shown_words
from subgraphs.kit.adaptor import Absence, BatchMode, Capabilities, EventSource, Idempotency
from subgraphs.kit.current_request import current_request
from subgraphs.kit.system_error import (
    VendorBadResponseError,
    VendorNotFoundError,
    VendorRateLimitedError,
    VendorRejectedError,
)
from subgraphs.kit.vendor_client import VendorClient, items, pages

StripeDoc: TypeAlias = Mapping[str, Any]

_PAGE = 100
_PARALLEL = 8
_PATIENCE = 60
_EXPANDED_METHOD = "invoice_settings.default_payment_method"
_PATHS = (
    ("cus_", "/v1/customers"),
    ("prod_", "/v1/products"),
    ("price_", "/v1/prices"),
    ("plan_", "/v1/plans"),
    ("sub_sched_", "/v1/subscription_schedules"),
    ("sub_", "/v1/subscriptions"),
    ("in_", "/v1/invoices"),
    ("feat_", "/v1/entitlements/features"),
    ("mtr_", "/v1/billing/meters"),
)
"""Prefix of an id → where such objects are. The longer prefix comes first."""


_LIMITS = {
    "bill a renewed term ahead": "Stripe charges a cycle when it begins: what a renewal costs is billed then.",
    "void a credit of a settled invoice": "Stripe voids credit notes of open invoices only: the customer's balance takes it back.",
}
_NO_STEP = "This server has no previews of invoices, credit notes or customer balances."


def stripe_client(
    base_url: str, secret_key: str, *, timeout_s: float = 10.0, dialect: StripeDialect = STRIPE
) -> VendorClient:
    """Return a client for Stripe at `base_url`."""
    return VendorClient(
        vendor="stripe",
        system="billing",
        base_url=base_url,
        headers={"authorization": f"Bearer {secret_key}", "stripe-version": API_VERSION},
        timeout_s=timeout_s,
        idempotency_header="Idempotency-Key" if dialect.honours_idempotency_key else None,
        words=shown_words,
        # 409: the first request under this key is still being carried out there, so it is not known what becomes of it.
        meaning=lambda reply: 503 if reply.status == 409 else reply.status,
        max_connections=_PARALLEL * 2,
    )


class StripeAdaptor:
    """Reads and writes Stripe's objects as documents; `stripe_mapping` turns them into records."""

    def __init__(self, client: VendorClient, dialect: StripeDialect = STRIPE) -> None:
        self._client = client
        self.dialect = dialect

    @property
    def capabilities(self) -> Capabilities:
        """No batch read; a missing id is a 404; events are pushed and listed."""
        keyed = self.dialect.honours_idempotency_key
        return Capabilities(
            batch_mode=BatchMode.NONE,
            max_ids_per_call=_PAGE,
            absence=Absence.NOT_FOUND,
            writes=self.dialect.writes,
            events=EventSource.WEBHOOK,
            idempotency=Idempotency.VENDOR_KEY if keyed else Idempotency.OURS,
            cannot={**_LIMITS, **dict.fromkeys(sorted(STEPS - self.dialect.writes), _NO_STEP)},
        )

    async def read(self, ids: Sequence[str]) -> Mapping[str, StripeDoc]:
        """Return the objects that exist, by id, one request each. Raises VendorError if any request fails."""
        slots = asyncio.Semaphore(_PARALLEL)

        async def one(object_id: str) -> StripeDoc | None:
            async with slots:
                return await self._retrieve(object_id)

        unique = list(dict.fromkeys(ids))
        found = await asyncio.gather(*map(one, unique))
        return {key: doc for key, doc in zip(unique, found, strict=True) if doc is not None and not doc.get("deleted")}

    async def _retrieve(self, object_id: str) -> StripeDoc | None:
        base = next((path for prefix, path in _PATHS if object_id.startswith(prefix)), None)
        if base is None or not object_id.replace("_", "").isalnum():
            return None
        params: dict[str, FormValue] = {}
        if base == "/v1/customers" and self.dialect.expands_payment_method:
            params["expand"] = [_EXPANDED_METHOD]
        path = f"{base}/{quote(object_id, safe='')}"
        try:
            try:
                doc = await self.get(path, params)
            except VendorRejectedError:
                if not params:
                    raise
                # Of a deleted object nothing can be expanded; whoever asks for many must not fail for it.
                doc = await self.get(path)
        except VendorNotFoundError:
            return None
        return await self._complete(doc)

    async def get(self, path: str, params: Mapping[str, FormValue] | None = None) -> StripeDoc:
        """Return one object. In the background, where nobody waits, Stripe's rate limit is waited out."""
        for _ in range(_PATIENCE):
            try:
                reply = await self._client.read("GET", path, params=form_params(params or {}))
            except VendorRateLimitedError as error:
                if current_request() is not None:
                    raise
                await asyncio.sleep(max(error.retry_after_ms or 0, 1000) / 1000 * (0.5 + random.random()))  # noqa: S311 - jitter
            else:
                return _object(reply.body)
        raise VendorRateLimitedError("The billing system limits its rate.", system="billing")

    async def list_all(self, path: str, params: Mapping[str, FormValue] | None = None) -> list[StripeDoc]:
        """Return every object of a list, newest first, a hundred a request."""

        async def fetch(after: str | None) -> tuple[Sequence[StripeDoc], str | None]:
            window: dict[str, FormValue] = {**(params or {}), "limit": _PAGE}
            if after is not None:
                window["starting_after"] = after
            page = await self.get(path, window)
            match page:
                case {"data": list() as data, "has_more": bool() as more}:
                    return data, data[-1]["id"] if more and data else None
                case _:
                    raise VendorBadResponseError("Stripe's list can't be read.", system="billing")

        return await items(pages(fetch))

    async def customers(self) -> list[StripeDoc]:
        """Return all customers with their default payment methods."""
        expand = {"expand": [f"data.{_EXPANDED_METHOD}"]} if self.dialect.expands_payment_method else {}
        return await self.list_all("/v1/customers", expand)

    async def subscriptions(self) -> list[StripeDoc]:
        """Return all subscriptions, ended ones too, each with all of its items."""
        docs = await self.list_all("/v1/subscriptions", {"status": "all"})
        return [await self._complete(doc) for doc in docs]

    async def invoices(self, created_after: int | None = None) -> list[StripeDoc]:
        """Return the invoices, each with all of its lines."""
        bounds: dict[str, FormValue] = {} if created_after is None else {"created": {"gte": created_after}}
        docs = await self.list_all("/v1/invoices", bounds)
        return [await self._complete(doc) for doc in docs]

    async def _complete(self, doc: StripeDoc) -> StripeDoc:
        """Return the object with the rest of its embedded list, of which Stripe shows the first ten only."""
        field = {"subscription": "items", "invoice": "lines"}.get(doc.get("object", ""))
        embedded = doc.get(field) if field else None
        if field is None or not embedded or not embedded.get("has_more"):
            return doc
        if field == "lines":
            data = await self.list_all(f"/v1/invoices/{doc['id']}/lines")
        else:
            data = await self.list_all("/v1/subscription_items", {"subscription": doc["id"]})
        return {**doc, field: {**embedded, "data": data, "has_more": False}}

    async def active_entitlements(self, customer: str) -> list[StripeDoc]:
        """Return what a customer is entitled to now."""
        return await self.list_all("/v1/entitlements/active_entitlements", {"customer": customer})

    async def product_features(self, product: str) -> list[StripeDoc]:
        """Return the features attached to a product."""
        return await self.list_all(f"/v1/products/{product}/features")

    async def usage(self, meter: str, customer: str, start: int, end: int) -> list[StripeDoc]:
        """Return a customer's daily sums of a meter in [start, end); both at the beginning of a UTC day."""
        window: dict[str, FormValue] = {
            "customer": customer,
            "start_time": start,
            "end_time": end,
            "value_grouping_window": "day",
        }
        return await self.list_all(f"/v1/billing/meters/{meter}/event_summaries", window)

    async def events_since(self, created: int) -> list[StripeDoc]:
        """Return the events from `created` (unix seconds) on, newest first; Stripe keeps them for 30 days."""
        return await self.list_all("/v1/events", {"created": {"gte": created}})

    async def preview(self, values: Mapping[str, FormValue]) -> StripeDoc:
        """Return what an invoice would be; nothing is written."""
        reply = await self._client.read(
            "POST",
            "/v1/invoices/create_preview",
            content=encode_form(values),
            headers={"content-type": "application/x-www-form-urlencoded"},
        )
        return _object(reply.body)

    async def post(self, path: str, values: Mapping[str, FormValue], *, key: str | None) -> StripeDoc:
        """Create or change an object and return it. Raises VendorError with the write's outcome."""
        return await self._write("POST", path, values, key)

    async def delete(self, path: str, *, key: str | None) -> StripeDoc:
        """Delete or end an object and return what is left of it. Raises VendorError with the write's outcome."""
        return await self._write("DELETE", path, {}, key)

    async def _write(self, method: str, path: str, values: Mapping[str, FormValue], key: str | None) -> StripeDoc:
        reply = await self._client.write(
            method,
            path,
            content=encode_form(values),
            headers={"content-type": "application/x-www-form-urlencoded"},
            idempotency_key=key,
        )
        return _object(reply.body)


def _object(body: Any) -> StripeDoc:
    match body:
        case {"object": str()}:
            return body  # type: ignore[no-any-return]  # matched to be a mapping
        case _:
            raise VendorBadResponseError("Stripe's answer is not one of its objects.", system="billing")
