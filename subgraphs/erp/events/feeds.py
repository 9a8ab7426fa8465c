"""The three polled lists of the ERP and the clock: each turns what changed into events and tells the crosswalk."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from subgraphs.erp.events import differences
from subgraphs.erp.events.ledger_news import LedgerNews
from subgraphs.erp.events.news import apart, next_mark, parts, passing, since
from subgraphs.erp.events.seen import Seen
from subgraphs.erp.events.unreadable import UnreadableRows
from subgraphs.erp.links import CustomerLinks
from subgraphs.erp.port import Erp, UnreadableRow
from subgraphs.erp.records import CustomerRecord, InvoiceRecord
from subgraphs.kit.canonical_event import CanonicalEvent
from subgraphs.kit.change_feed import ChangeFeed, Changes
from subgraphs.kit.crosswalk import CrosswalkRecord
from subgraphs.kit.database import Database
from subgraphs.kit.first_synchronisation import FirstSynchronisation
from subgraphs.kit.instance_crosswalk import RecordLinks
from subgraphs.kit.outbox import Outbox
from subgraphs.kit.system_error import FieldError

_log = logging.getLogger(__name__)
_LONGEST_PAUSE_S = 300.0


class ErpFeeds:
    """Everything that happens in the ERP, as events in the outbox."""

    def __init__(
        self,
        erp: Erp,
        *,
        database: Database,
        outbox: Outbox,
        crosswalk: RecordLinks,
        links: CustomerLinks,
        first: FirstSynchronisation,
        today: Callable[[], dt.date],
        due_soon_days: int,
        interval_s: float,
        synchronise_interval_s: float,
    ) -> None:
        self._erp = erp
        self._database = database
        self._outbox = outbox
        self._crosswalk = crosswalk
        self._links = links
        self._first = first
        self._today = today
        self._due_soon = dt.timedelta(days=due_soon_days)
        self._interval_s = interval_s
        self._synchronise_interval_s = synchronise_interval_s
        self._unreadable = UnreadableRows(database)
        # One push at a time, from reading to telling: else identity takes last what was read first.
        self._pushing = asyncio.Lock()
        # One comparison at a time, of what is polled and what is looked at again: else both tell of the same change.
        self._comparing = asyncio.Lock()
        self.customers = ChangeFeed(
            database, "customers", self._poll_customers, self._apply_customers, interval_s=interval_s
        )
        self.invoices = ChangeFeed(
            database, "invoices", self._poll_invoices, self._apply_invoices, interval_s=interval_s
        )
        self._ledger = LedgerNews(
            erp, database=database, today=today, store=self._store, customers_of=self._customers_of
        )
        self.ledger = ChangeFeed(database, "ledger", self._ledger.poll, self._ledger.apply, interval_s=interval_s)

    def loops(self) -> Sequence[Callable[[], Awaitable[None]]]:
        """Return what is to run in the background."""
        return (
            self._synchronise,
            self.customers.run_forever,
            self.invoices.run_forever,
            self.ledger.run_forever,
            self._clock,
            self._look_again,
        )

    def nudge(self) -> None:
        """Look now: a write of our own was made."""
        for feed in (self.customers, self.invoices, self.ledger):
            feed.nudge()

    async def _poll_customers(self, mark: str | None) -> Changes[CustomerRecord]:
        unreadable: list[UnreadableRow] = []
        records = await self._erp.changed_customers(since(mark), unreadable=unreadable)
        await self._unreadable.note("customers", unreadable, is_history=mark is None)
        return Changes(items=records, mark=next_mark(mark, [record.modified_at for record in records]))

    async def _apply_customers(self, records: Sequence[CustomerRecord]) -> None:
        async with self._comparing:
            await self._take_customers(records)

    async def _take_customers(self, records: Sequence[CustomerRecord]) -> None:
        for part in parts(records):
            ids = [record.id for record in part]
            seen = await self._database.run(partial(Seen.customers, ids=ids))
            news = [record for record in part if seen.get(record.id) is not record.credit_hold]
            is_first_look = await self.customers.mark() is None
            # Pushed before the events are made, so that a customer new to identity has its canonical id.
            customers = {} if is_first_look else await self._push(ids)
            known = [record for record in news if record.id in customers or record.id not in seen]
            events = [differences.credit_hold_changed(seen[r.id], r, customers) for r in known if r.id in seen]
            holds = {record.id: record.credit_hold for record in known}
            await self._store(events, partial(Seen.put_customers, holds=holds))

    async def _poll_invoices(self, mark: str | None) -> Changes[InvoiceRecord]:
        unreadable: list[UnreadableRow] = []
        records = await self._erp.changed_invoices(since(mark), unreadable=unreadable)
        await self._unreadable.note("invoices", unreadable, is_history=mark is None)
        return Changes(items=records, mark=next_mark(mark, [record.modified_at for record in records]))

    async def _apply_invoices(self, records: Sequence[InvoiceRecord]) -> None:
        is_first_look = await self.invoices.mark() is None
        async with self._comparing:
            await self._take_invoices(records, is_history=is_first_look)

    async def _take_invoices(self, records: Sequence[InvoiceRecord], *, is_history: bool) -> None:
        today = self._today()
        told_until = (today, today + self._due_soon) if is_history else None
        for part in parts(records):
            ids = [record.id for record in part]
            seen = await self._database.run(partial(Seen.invoices, ids=ids))
            news = [r for r in part if r.id not in seen or seen[r.id].version != r.version]
            events = [] if is_history else await self._invoice_events(news, seen)
            await self._store(events, partial(Seen.put_invoices, records=news, told_until=told_until))
            if news and not is_history:
                await self._push(record.customer_id for record in news)

    async def _invoice_events(self, news: Sequence[InvoiceRecord], seen: Mapping[str, Any]) -> Sequence[CanonicalEvent]:
        paying = [r.id for r in news if set(r.payment_ids) - (seen[r.id].payment_ids if r.id in seen else frozenset())]
        payments = await passing(self._erp.payments_of_invoices.read, paying)
        credited_ids = sorted({i for record in news for i in record.credits})
        credited = await passing(self._erp.invoices.read, credited_ids)
        numbers = {i: record.number for i, record in credited.items() if record.number}
        customers = await self._customers_of({record.customer_id for record in news})
        return [
            event
            for record in news
            for event in differences.invoice_events(
                seen.get(record.id), record, payments.get(record.id, ()), customers, numbers
            )
        ]

    async def _clock(self) -> None:
        """Tell what time alone brings about, each once."""
        while True:
            try:
                await self.tell_time()
            except FieldError as error:
                _log.info("Nothing could be told of the day: %s", error.code)
            await asyncio.sleep(min(self._interval_s, 60.0))

    async def _look_again(self) -> None:
        """Hear of what could not be read when it changed, ever less often while it can't."""
        pause_s = self._interval_s
        while True:
            await asyncio.sleep(pause_s)
            try:
                waits = [await self._hear_customers(), await self._hear_invoices(), await self._ledger.tell_waiting()]
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S) if any(waits) else self._interval_s
            except FieldError as error:
                _log.info("What could not be read was not looked at again: %s", error.code)

    async def _hear_customers(self) -> bool:
        """Take the customers that can be read by now; whether others are left. Raises FieldError."""
        waiting, left = await self._unreadable.of("customers"), False
        for ids in parts(list(waiting)):
            async with self._comparing:
                found, odd = await apart(self._erp.customers.read, ids)
                await self._take_customers(list(found.values()))
            await self._unreadable.forget("customers", [waiting[key] for key in ids if key not in odd])
            left = left or bool(odd)
        return left

    async def _hear_invoices(self) -> bool:
        """Take the invoices that can be read by now; whether others are left. Raises FieldError."""
        waiting, left = await self._unreadable.of("invoices"), False
        for ids in parts(list(waiting)):
            async with self._comparing:
                found, odd = await apart(self._erp.invoices.read, ids)
                for is_history in (True, False):
                    records = [record for key, record in found.items() if waiting[key].is_history is is_history]
                    await self._take_invoices(records, is_history=is_history)
            await self._unreadable.forget("invoices", [waiting[key] for key in ids if key not in odd])
            left = left or bool(odd)
        return left

    async def tell_time(self) -> None:
        """Tell of invoices that are due soon or overdue, and of booked revenue whose day has come. Raises FieldError."""
        if await self.invoices.mark() is None:
            return
        today = self._today()
        overdue = await self._database.run(lambda c: Seen.overdue(c, today))
        soon = await self._database.run(lambda c: Seen.due_soon(c, today, today + self._due_soon))
        if overdue or soon:
            customers = await self._customers_of({seen.customer_id for seen in (*overdue, *soon)})
            day = dt.timedelta(days=1)
            events = [
                *(
                    differences.time_came("invoice.due_soon", s, (s.due_on or today) - self._due_soon, customers)
                    for s in soon
                ),
                *(differences.time_came("invoice.overdue", s, (s.due_on or today) + day, customers) for s in overdue),
            ]
            ids = [seen.id for seen in overdue], [seen.id for seen in soon]
            await self._store(events, partial(Seen.tell, overdue=ids[0], due_soon=ids[1]))
            await self._push(seen.customer_id for seen in overdue)
        await self._ledger.tell_revenue()

    async def _store(
        self, events: Iterable[CanonicalEvent | None], remember: Callable[[sqlite3.Connection], None]
    ) -> None:
        """Put the events into the outbox and note them as told, both or neither."""
        found = [event for event in events if event is not None]

        def work(connection: sqlite3.Connection) -> None:
            Outbox.insert(connection, found)
            remember(connection)

        await self._database.run(work)
        if found:
            self._outbox.wake()

    async def _synchronise(self) -> None:
        """Push all customers now and again every interval, for what leaves no mark on them, such as relations.

        Those that are there no more are told as gone.
        """
        retry_s = 0.5
        while True:
            try:
                told: set[str] = set()
                for part in parts(await self._erp.changed_customers(None)):
                    await self._push(record.id for record in part)
                    told.update(record.id for record in part)
                    self._first.told(len(told))
                await self._forget_deleted(told)
                await self._first.complete()
                pause_s, retry_s = self._synchronise_interval_s, 0.5
            except FieldError:
                pause_s, retry_s = retry_s, min(retry_s * 2, 30.0)
            await asyncio.sleep(pause_s)

    async def _forget_deleted(self, listed: Collection[str]) -> None:
        """Tell identity of the customers that the ERP has no more: deleting leaves no mark. Raises FieldError."""
        unlisted = [key for key in await self._links.known() if key not in listed]
        if unlisted and (gone := sorted(await self._erp.deleted_customers(unlisted))):
            async with self._pushing:
                await self._crosswalk.gone(gone)
                await self._links.forget(gone)

    async def _customers_of(self, ids: Iterable[str]) -> Mapping[str, str]:
        """Return our customer id → global id. One that identity does not know yet is pushed first."""
        wanted = sorted(set(ids))
        known = dict(await self._crosswalk.resolve(wanted)) if wanted else {}
        missing = [customer for customer in wanted if customer not in known]
        return {**known, **await self._push(missing)} if missing else known

    async def _push(self, ids: Iterable[str]) -> Mapping[str, str]:
        """Tell identity the customers as they are; returns their global ids. Raises FieldError."""
        wanted = sorted(set(ids))
        async with self._pushing:
            found = await passing(self._erp.customers.read, wanted)
            return await self._push_records([record for record in found.values() if record.reference])

    async def _push_records(self, records: Sequence[CustomerRecord]) -> Mapping[str, str]:
        if not records:
            return {}
        documents = await self._erp.open_documents_of_customers.read([record.id for record in records])
        unread = {key for key, found in documents.items() if isinstance(found, FieldError)}
        today = self._today()
        pushed = await self._crosswalk.push(
            CrosswalkRecord(
                external_id=record.id,
                reference=record.reference,
                tax_id=record.tax_ids[0] if record.tax_ids else None,
                domain=record.website.partition("//")[2].strip("/") if record.website else None,
                name=record.legal_name,
                version=record.version,
                parent=record.parent_id,
                # Of documents that can't all be read there is no sum: it stays as it was.
                facets={}
                if record.id in unread
                else {"overdueAmount": differences.overdue_amount(documents.get(record.id, ()), today)},
            )
            for record in records
        )
        await self._links.note(pushed)
        return pushed
