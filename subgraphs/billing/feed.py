"""Turns what happened at the vendor into lifecycle events and crosswalk records."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from subgraphs.billing.consumption import usage_drafts
from subgraphs.billing.derivation import MeterReading, entitlements_of, month_of
from subgraphs.billing.drafts import DraftQueue
from subgraphs.billing.lifecycle import EventDraft
from subgraphs.billing.port import Catalog, Held
from subgraphs.billing.records import RUNNING, BillingCustomer, Contract, Entitlement
from subgraphs.billing.renewals import RenewalsTold, renewal_drafts, seconds_to_midnight
from subgraphs.billing.vendors import stripe_mirror as mirror
from subgraphs.billing.vendors.stripe_books import StripeBooks, today
from subgraphs.billing.vendors.stripe_events import amendment_rows, event_drafts
from subgraphs.billing.vendors.stripe_sync import StripeSync
from subgraphs.kit.crosswalk import Crosswalk, CrosswalkRecord
from subgraphs.kit.database import Database
from subgraphs.kit.first_synchronisation import FirstSynchronisation
from subgraphs.kit.record_loader import readable
from subgraphs.kit.system_error import FieldError
from subgraphs.kit.webhook import VendorEvent

_log = logging.getLogger(__name__)
_USAGE_BATCH = 4
_RETRY_S = 2.0


async def patiently(work: Callable[[], Awaitable[None]]) -> None:
    """Carry out a loop, and again from its beginning while the vendor or the crosswalk is down: that is no bug to report."""
    while True:
        try:
            await work()
        except FieldError as error:
            _log.info("Waiting for the %s system: %s", error.system or "billing", error.code)
            await asyncio.sleep(_RETRY_S)
        else:
            return


class BillingFeed:
    """The loops behind the subgraph: vendor events, use, renewals, crosswalk."""

    def __init__(
        self,
        database: Database,
        drafts: DraftQueue,
        crosswalk: Crosswalk,
        first: FirstSynchronisation,
        *,
        renewal_days_before: Sequence[int],
        renewal_check_s: float,
        threshold_percents: Sequence[int],
        usage_refresh_s: float,
    ) -> None:
        self._database = database
        self._drafts = drafts
        self._crosswalk = crosswalk
        self._first = first
        self._days_before = tuple(renewal_days_before)
        self._check_s = renewal_check_s
        self._percents = tuple(threshold_percents)
        self._usage_refresh_s = usage_refresh_s
        self._told = RenewalsTold(database)
        self._push_all = asyncio.Event()
        # One push at a time, from reading to telling: else identity takes last what was read first.
        self._pushing = asyncio.Lock()

    async def work(self, sync: StripeSync, books: StripeBooks, events: Sequence[VendorEvent]) -> None:
        """Bring the mirror up to date, then tell what happened. Repeatable: the same events give the same ids."""
        changed = await sync.project(events)
        if changed:
            await self._push(books, sorted(changed))
        skus = {product.id: product.sku for product in (await books.catalog()).products.values()}
        rows, drafts = [], []
        for event in events:
            try:
                rows += amendment_rows(event.payload, skus)
                drafts += event_drafts(event.payload)
            except (KeyError, TypeError, ValueError, ArithmeticError, FieldError):
                # One event of an unexpected shape must not hold up the others for ever; the mirror is right without it.
                _log.exception("Stripe's event %s can't be understood and is passed over.", event.id)
        if rows:
            await self._database.run(lambda c: [mirror.AMENDMENTS.put(c, row["reference"], row) for row in rows])
        await self.tell(drafts)

    async def tell(self, drafts: Sequence[EventDraft]) -> None:
        """Put the events on their way; durable when it returns."""
        await self._drafts.add(drafts)

    async def push_everything(self) -> None:
        """Ask for a full sync of the crosswalk, as after the mirror was filled."""
        self._push_all.set()

    async def push_forever(self, books: StripeBooks) -> None:
        """Push all customers at start and whenever asked; a crosswalk that is down is tried again by the kit's loop."""
        while True:
            await self._push_all.wait()
            self._push_all.clear()
            try:
                ids = await self.customer_ids()
                self._first.told(len(ids))
                await self._push(books, ids)
                self._drafts.customers_are_known()
                await self._first.complete()
            except BaseException:
                self._push_all.set()
                raise

    async def customer_ids(self) -> list[str]:
        """Return the vendor's ids of all customers."""
        customers = await self._database.run(mirror.CUSTOMERS.all)
        return [str(doc["id"]) for doc in customers]

    async def _push(self, books: StripeBooks, ids: Sequence[str]) -> None:
        async with self._pushing:
            customers = readable(await books.customers(ids))
            await self._crosswalk.push(_crosswalk_record(customer) for customer in customers.values())

    async def watch_renewals(self, books: StripeBooks) -> None:
        """Tell renewals and notice deadlines as their marks are reached: at start, hourly, and when the day turns."""
        while True:
            await self.tell_renewals(await books.all_contracts(), today())
            now = dt.datetime.now(dt.UTC)
            await asyncio.sleep(min(self._check_s, seconds_to_midnight(now) + 1))

    async def tell_renewals(self, contracts: Sequence[Contract], on: dt.date) -> None:
        """Tell what `on` is the day for and was not told yet."""
        drafts = await self._told.untold(renewal_drafts(contracts, self._days_before, on))
        if not drafts:
            return

        def store(connection: sqlite3.Connection) -> None:
            self._drafts.insert(connection, drafts)
            self._told.remember(connection, drafts, on)

        await self._database.run(store)
        self._drafts.wake()

    async def watch_usage(self, sync: StripeSync, books: StripeBooks) -> None:
        """Read every meter in force once in a while, a few at a time, and tell what grew."""
        while True:
            await books.ensure_current()
            pairs = await sync.usage_pairs()
            batches = max(1, -(-len(pairs) // _USAGE_BATCH))
            for start in range(0, len(pairs), _USAGE_BATCH):
                batch = pairs[start : start + _USAGE_BATCH]
                customers = sorted({customer for customer, _ in batch})
                before = readable(await books.held(customers))
                changed = await sync.refresh_usage(batch)
                if changed:
                    after = readable(await books.held(customers))
                    catalog = await books.catalog()
                    for customer, meter in changed:
                        if customer not in before or customer not in after:
                            continue
                        await self.tell_usage(
                            catalog, customer, meter, before[customer].readings, after[customer], identity="refresh"
                        )
                await asyncio.sleep(self._usage_refresh_s / batches)
            if not pairs:
                await asyncio.sleep(self._usage_refresh_s)

    async def tell_usage(
        self,
        catalog: Catalog,
        customer: str,
        meter: str,
        readings_before: Mapping[str, MeterReading],
        held: Held,
        *,
        identity: str,
    ) -> None:
        """Tell what a customer's use of a meter grew to. `identity`: the recording; "refresh": whatever others recorded."""
        after = _by_meter(catalog, customer, held, meter)
        before = {e.id: e for e in _by_meter(catalog, customer, _with(held, readings_before), meter).values()}
        drafts: list[EventDraft] = []
        for entitlement in after.values():
            used_before = before[entitlement.id].used if entitlement.id in before else entitlement.used
            if entitlement.used == used_before:
                continue
            what = f"{today()}:{entitlement.used:f}" if identity == "refresh" else identity
            source = next((c for c in held.contracts if c.number == entitlement.contract), None) or held.contracts[0]
            drafts += usage_drafts(
                entitlement,
                used_before,
                identity=what,
                at=dt.datetime.fromtimestamp(int(time.time()), dt.UTC),
                period_start=month_of(source, today())[0],
                threshold_percents=self._percents,
            )
        await self.tell(drafts)


def _with(held: Held, readings: Mapping[str, MeterReading]) -> Held:
    return Held(contracts=held.contracts, active_keys=held.active_keys, readings=readings)


def _by_meter(catalog: Catalog, customer: str, held: Held, meter: str) -> dict[str, Entitlement]:
    found = entitlements_of(
        customer, held.contracts, held.active_keys, catalog.products, catalog.features, held.readings, today()
    )
    running = any(contract.status in RUNNING for contract in held.contracts)
    return {e.id: e for e in found if e.feature.meter == meter} if running else {}


def _crosswalk_record(customer: BillingCustomer) -> CrosswalkRecord:
    return CrosswalkRecord(
        external_id=customer.id,
        reference=customer.reference,
        tax_id=customer.tax_id,
        domain=customer.email.rpartition("@")[2] if customer.email else None,
        name=customer.name,
        parent=customer.parent_id or "",
    )
