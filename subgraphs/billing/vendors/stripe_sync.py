"""Keeps the mirror in step with Stripe: filled by lists once, then by what events name, read anew.

An event says *that* an object changed; the object itself is asked for again, so neither disorder nor copies of events can
bring old data back. Events come by webhook, and by polling `/v1/events`, which closes the gap after a downtime. Beyond the
30 days that Stripe keeps events, the lists are read again.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextvars import Context
from copy import copy
from typing import Any

from subgraphs.billing.vendors import stripe_mirror as mirror
from subgraphs.billing.vendors.stripe import StripeAdaptor, StripeDoc
from subgraphs.billing.vendors.stripe_drift import report
from subgraphs.billing.vendors.stripe_wire import parse_event
from subgraphs.kit.change_feed import Changes
from subgraphs.kit.current_request import current_request
from subgraphs.kit.database import Database
from subgraphs.kit.projection import Projection
from subgraphs.kit.schema_drift import SchemaDrift
from subgraphs.kit.system_error import FieldError, VendorTimeoutError, VendorUnavailableError
from subgraphs.kit.webhook import VendorEvent

_log = logging.getLogger(__name__)
_PARALLEL = 8
_OVERLAP_S = 60
"""Events may become visible a little out of order; the inbox drops what it has seen."""
_KEPT_S = 29 * 86_400
_RETRY_S = 1.0

SCHEMA = "create table if not exists stripe_sync (name text primary key, value text not null);"


class StripeSync:
    """The mirror's supply. `on_filled` is called with the customers after a complete reading."""

    def __init__(
        self,
        adaptor: StripeAdaptor,
        database: Database,
        *,
        max_staleness_s: float,
        serve_stale_for_s: float = 0.0,
        on_filled: Callable[[], Awaitable[None]],
        drift: SchemaDrift | None = None,
    ) -> None:
        self._adaptor = adaptor
        self._database = database
        self._max_staleness_s = max_staleness_s
        self._serve_stale_for_s = serve_stale_for_s
        self._on_filled = on_filled
        self.drift = drift or SchemaDrift("billing")
        """What Stripe has sent that the mapping does not know."""
        self._filled = asyncio.Event()
        self._last_failure: FieldError | None = None
        self._contact: float | None = None
        self._catch_up: Callable[[], Awaitable[object]] | None = None
        self._checking: asyncio.Task[FieldError | None] | None = None

    def catch_up_with(self, poll: Callable[[], Awaitable[object]]) -> None:
        """Set how to learn of the latest events at once: the feed's own poll."""
        self._catch_up = poll

    def read_at(self) -> dt.datetime | None:
        """When Stripe last said that there was nothing newer."""
        return None if self._contact is None else dt.datetime.fromtimestamp(self._contact, dt.UTC)

    async def ensure_current(self) -> None:
        """Return once the mirror is complete and was compared with Stripe lately. Raises VendorError."""
        if not self._filled.is_set():
            if self._last_failure is not None:
                raise copy(self._last_failure)  # each who waits says what became of his own request
            try:
                async with asyncio.timeout(_left_s()):
                    await self._filled.wait()
            except TimeoutError as error:
                raise VendorUnavailableError(
                    "The billing system is still being read for the first time.", system="billing", retry_after_ms=1000
                ) from error
        if self._is_fresh() or self._catch_up is None:
            return
        if self._checking is None or self._checking.done():
            # Asked once for all who wait, outside of any one request's deadline; each waits as long as his own allows.
            self._checking = asyncio.create_task(self._check(self._catch_up), context=Context())
        try:
            async with asyncio.timeout(_left_s()):
                failure = await asyncio.shield(self._checking)
        except TimeoutError:
            failure = VendorTimeoutError("The billing system did not answer in time.", system="billing")
        if failure is not None and not self._may_serve_stale():
            raise copy(failure)

    async def _check(self, catch_up: Callable[[], Awaitable[object]]) -> FieldError | None:
        """Ask for news; a failure is a value, as several may wait for it and perhaps nobody does any more."""
        try:
            self._contact = await self._known_contact()
            if not self._is_fresh():
                await catch_up()
        except FieldError as error:
            return error
        return None

    async def close(self) -> None:
        """Stop asking."""
        if self._checking is not None:
            self._checking.cancel()
            await asyncio.gather(self._checking, return_exceptions=True)

    def _may_serve_stale(self) -> bool:
        age_s = time.time() - (self._contact or 0.0)
        return age_s <= self._max_staleness_s + self._serve_stale_for_s and self._serve_stale_for_s > 0

    def _is_fresh(self) -> bool:
        return self._contact is not None and time.time() - self._contact <= self._max_staleness_s

    async def fill_if_empty(self) -> None:
        """Read everything, unless an earlier run or another replica did. Tries until it succeeds."""
        while True:
            try:
                if await self._fact("filled") is None:
                    await self.fill()
                else:
                    self._contact = await self._known_contact()
                self._last_failure = None
                self._filled.set()
                await self._on_filled()
                return
            except FieldError as error:
                self._last_failure = error
                _log.info("Reading Stripe failed: %s", error.code)
                await asyncio.sleep(_RETRY_S)

    async def follow_filling(self) -> None:
        """Notice that another replica has read everything."""
        while not self._filled.is_set():
            if await self._fact("filled") is not None:
                self._contact = await self._known_contact()
                self._filled.set()
            else:
                await asyncio.sleep(_RETRY_S)

    async def fill(self) -> None:
        """Read every list into the mirror."""
        adaptor, dialect = self._adaptor, self._adaptor.dialect
        started = time.time()
        at_ms = int(started * 1000)
        products = await adaptor.list_all("/v1/products")
        self._last_failure = None  # Stripe answers again: from here on it is worth waiting for the rest
        tables: list[tuple[Projection, Sequence[StripeDoc]]] = [
            (mirror.CUSTOMERS, await adaptor.customers()),
            (mirror.PRODUCTS, products),
            (mirror.PRICES, await adaptor.list_all("/v1/prices" if dialect.has_prices else "/v1/plans")),
            (mirror.SUBSCRIPTIONS, await adaptor.subscriptions()),
            (mirror.INVOICES, await adaptor.invoices()),
        ]
        if dialect.has_schedules:
            tables.append((mirror.SCHEDULES, await adaptor.list_all("/v1/subscription_schedules")))
        if dialect.has_meters:
            tables.append((mirror.METERS, await adaptor.list_all("/v1/billing/meters")))
        if dialect.has_entitlements:
            tables.append((mirror.FEATURES, await adaptor.list_all("/v1/entitlements/features")))

        def store(connection: sqlite3.Connection) -> None:
            for table, docs in tables:
                report(docs, self.drift)
                mirror.replace_all(connection, table, {doc["id"]: doc for doc in docs}, read_at_ms=at_ms)

        await self._database.run(store)
        if dialect.has_entitlements:
            await self._refresh_attachments([doc["id"] for doc in products])
            await self._refresh_entitlements([doc["id"] for doc in tables[0][1]])
        if dialect.has_meters:
            await self.refresh_usage(await self.usage_pairs(), whole=True)
        await self._remember("filled", str(int(started)))
        self._contact = started

    async def poll(self, mark: str | None) -> Changes[VendorEvent]:
        """Return the events since the mark (unix seconds), oldest first; read everything again where Stripe has forgotten some."""
        await self._filled.wait()
        asked_at = time.time()
        since = int(mark or await self._fact("filled") or asked_at)
        if asked_at - since > _KEPT_S:
            await self.fill()
            await self._on_filled()
            return Changes(items=(), mark=str(int(asked_at)))
        documents = await self._adaptor.events_since(since - _OVERLAP_S)
        self._contact = asked_at
        await self._remember("contact", str(asked_at))
        newest = max((int(doc["created"]) for doc in documents), default=since)
        return Changes(items=[parse_event(doc) for doc in reversed(documents)], mark=str(max(newest, since)))

    async def project(self, events: Iterable[VendorEvent]) -> frozenset[str]:
        """Bring what the events name up to date; return the customers whose own record changed."""
        await self._filled.wait()
        ids: dict[str, None] = {}
        entitled: dict[str, None] = {}
        products: dict[str, None] = {}
        for event in events:
            subject = event.payload["data"]["object"]
            match subject.get("object"):
                case "entitlements.active_entitlement_summary" if isinstance(subject.get("customer"), str):
                    entitled[subject["customer"]] = None
                case "payment_method" | "tax_id":
                    previous = event.payload["data"].get("previous_attributes") or {}
                    for customer in (subject.get("customer"), previous.get("customer")):
                        if customer:
                            ids[customer] = None
                case _ if not isinstance(subject.get("id"), str):
                    pass  # a preview, such as the invoice of `invoice.upcoming`, is no object yet
                case "product":
                    ids[subject["id"]] = products[subject["id"]] = None
                case _ if mirror.table_of(subject) is not None:
                    ids[subject["id"]] = None
        at_ms = time.time_ns() // 1_000_000
        found = await self._adaptor.read(list(ids))

        def store(connection: sqlite3.Connection) -> None:
            report(found.values(), self.drift)
            mirror.put_docs(connection, found.values(), read_at_ms=at_ms)
            for gone in ids.keys() - found.keys():
                for table in mirror.TABLES:
                    if table.get(connection, [gone]):
                        table.remove(connection, gone, version=at_ms)

        await self._database.run(store)
        if self._adaptor.dialect.has_entitlements:
            await self._refresh_attachments([product for product in products if product in found])
            await self._refresh_entitlements(list(entitled))
        return frozenset(key for key in ids if key.startswith("cus_"))

    async def _refresh_attachments(self, products: Sequence[str]) -> None:
        async def one(product: str) -> None:
            at_ms = time.time_ns() // 1_000_000
            attached = await self._adaptor.product_features(product)
            row = {"id": product, "features": [entry["entitlement_feature"]["lookup_key"] for entry in attached]}
            features = [entry["entitlement_feature"] for entry in attached]

            def store(connection: sqlite3.Connection) -> None:
                mirror.ATTACHMENTS.put(connection, product, row, version=at_ms)
                mirror.put_docs(connection, features, read_at_ms=at_ms)

            await self._database.run(store)

        await _all(one, products)

    async def _refresh_entitlements(self, customers: Sequence[str]) -> None:
        async def one(customer: str) -> None:
            at_ms = time.time_ns() // 1_000_000
            active = await self._adaptor.active_entitlements(customer)
            row = {"id": customer, "keys": sorted(entry["lookup_key"] for entry in active)}
            await self._database.run(lambda c: mirror.ENTITLEMENTS.put(c, customer, row, version=at_ms))

        await _all(one, customers)

    async def usage_pairs(self) -> list[tuple[str, str]]:
        """Return the (customer, meter id) pairs whose use matters: the meters of what is in force."""

        def read(connection: sqlite3.Connection) -> list[tuple[str, str]]:
            meters = {doc["event_name"]: doc["id"] for doc in mirror.METERS.all(connection)}
            named = {
                doc["lookup_key"]: (doc.get("metadata") or {}).get("meter") for doc in mirror.FEATURES.all(connection)
            }
            attached = {row["id"]: row["features"] for row in mirror.ATTACHMENTS.all(connection)}
            pairs: dict[tuple[str, str], None] = {}
            for doc in mirror.SUBSCRIPTIONS.all(connection):
                for item in (doc.get("items") or {}).get("data") or ():
                    for key in attached.get((item.get("price") or item["plan"])["product"], ()):
                        if named.get(key) in meters:
                            pairs[doc["customer"], meters[named[key]]] = None
            return list(pairs)

        return await self._database.run(read)

    async def refresh_usage(self, pairs: Sequence[tuple[str, str]], *, whole: bool = False) -> list[tuple[str, str]]:
        """Read use anew, two years of it or the last 35 days; return the (customer, meter name) pairs where it changed."""
        meters = await self._database.run(lambda c: {doc["id"]: doc for doc in mirror.METERS.all(c)})
        changed: list[tuple[str, str]] = []

        async def one(pair: tuple[str, str]) -> None:
            customer, meter_id = pair
            at_ms = time.time_ns() // 1_000_000
            end = int(time.time()) // 86_400 * 86_400 + 86_400
            start = end - (731 if whole else 36) * 86_400
            days = mirror.days_of(await self._adaptor.usage(meter_id, customer, start, end))
            meter = meters[meter_id]
            row_id = f"{customer}|{meter['event_name']}"

            def store(connection: sqlite3.Connection) -> bool:
                before: Mapping[str, Any] = mirror.USAGE.get(connection, [row_id]).get(row_id) or {}
                # Days out of the window that was read stay as they were.
                kept = (
                    {} if whole else {on: value for on, value in before.get("days", {}).items() if _day_s(on) < start}
                )
                row = {
                    "customer": customer,
                    "meter": meter["event_name"],
                    "formula": meter["default_aggregation"]["formula"],
                    "days": dict(sorted({**kept, **days}.items())),
                }
                return mirror.USAGE.put(connection, row_id, row, version=at_ms).applied

            if await self._database.run(store):
                changed.append((customer, meter["event_name"]))

        await _all(one, pairs)
        return changed

    async def _known_contact(self) -> float | None:
        """Return when Stripe was last heard of, by this replica or another one."""
        known = await self._fact("contact")
        heard = None if known is None else float(known)
        return max((at for at in (heard, self._contact) if at is not None), default=None)

    async def _fact(self, name: str) -> str | None:
        row = await self._database.run(
            lambda c: c.execute("select value from stripe_sync where name = ?", (name,)).fetchone()
        )
        return None if row is None else str(row[0])

    async def _remember(self, name: str, value: str) -> None:
        await self._database.run(lambda c: c.execute("insert or replace into stripe_sync values (?, ?)", (name, value)))


async def _all(work: Callable[[Any], Awaitable[None]], keys: Sequence[Any]) -> None:
    slots = asyncio.Semaphore(_PARALLEL)

    async def bounded(key: Any) -> None:
        async with slots:
            await work(key)

    await asyncio.gather(*map(bounded, keys))


def _day_s(on: str) -> int:
    return int(dt.datetime.fromisoformat(on).replace(tzinfo=dt.UTC).timestamp())


def _left_s() -> float:
    current = current_request()
    remaining = current.remaining_s() if current else None
    return 10.0 if remaining is None else remaining
