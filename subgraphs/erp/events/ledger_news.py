"""What is new in the ledger: entries as they are posted, and the revenue that they recognise, each told on its day.

An entry that can't be read, or whose invoice or deferral is there but can't be, waits until it can: without it nobody knows
whose entry it is, nor whether it recognises revenue.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial

from subgraphs.erp.events import differences
from subgraphs.erp.events.news import BEGINNING, OVERLAP, apart, next_mark, parts, since
from subgraphs.erp.events.seen import ComingRevenue, Seen
from subgraphs.erp.port import Erp, UnreadableRow
from subgraphs.erp.records import JournalEntryRecord
from subgraphs.kit.canonical_event import CanonicalEvent
from subgraphs.kit.change_feed import Changes
from subgraphs.kit.database import Database

Store = Callable[[Iterable[CanonicalEvent | None], Callable[[sqlite3.Connection], None]], Awaitable[None]]
"""Puts events into the outbox and notes them as told, both or neither."""


class LedgerNews:
    """The poll of the ledger, and what is done with what it finds."""

    def __init__(
        self,
        erp: Erp,
        *,
        database: Database,
        today: Callable[[], dt.date],
        store: Store,
        customers_of: Callable[[Iterable[str]], Awaitable[Mapping[str, str]]],
    ) -> None:
        """`customers_of`: our customer ids → global ids."""
        self._erp = erp
        self._database = database
        self._today = today
        self._store = store
        self._customers_of = customers_of

    async def poll(self, mark: str | None) -> Changes[JournalEntryRecord]:
        """Return the entries that changed since the mark; none at first."""
        if mark is None:
            # History is not news: begin with what changes from here on.
            last = await self._erp.last_journal_change()
            if last is not None:
                # The next poll looks back over these, and they are history as well.
                odd: list[UnreadableRow] = []
                recent = await self._erp.changed_journal_entries(last - OVERLAP, unreadable=odd)
                ids = [record.id for record in recent if record.modified_at <= last] + [row.id for row in odd]
                await self._database.run(partial(Seen.put_entries, ids=ids, coming=()))
            return Changes(items=(), mark=(last or BEGINNING).isoformat())
        unreadable: list[UnreadableRow] = []
        records = await self._erp.changed_journal_entries(since(mark) or BEGINNING, unreadable=unreadable)
        if unreadable:
            await self._database.run(partial(Seen.put_waiting_entries, ids=[row.id for row in unreadable]))
        return Changes(items=records, mark=next_mark(mark, [record.modified_at for record in records]))

    async def apply(self, records: Sequence[JournalEntryRecord]) -> None:
        """Tell of the posted entries that were not told of. Raises FieldError."""
        for part in parts([record for record in records if record.is_posted]):
            fresh = await self._database.run(partial(Seen.new_entries, ids=[r.id for r in part]))
            entries = [record for record in part if record.id in fresh]
            if entries:
                await self._tell(entries)
        await self.tell_revenue()

    async def tell_waiting(self) -> bool:
        """Look again at the entries that wait; whether any is left waiting. Raises FieldError."""
        for ids in parts(await self._database.run(Seen.waiting_entries)):
            entries, unreadable = await apart(self._erp.journal_entries.read, ids)
            gone = set(ids) - set(entries) - unreadable
            await self._database.run(partial(Seen.put_entries, ids=sorted(gone), coming=()))
            drafts = [entry.id for entry in entries.values() if not entry.is_posted]
            # Once it is posted it is polled again.
            await self._database.run(partial(Seen.drop_waiting_entries, ids=drafts))
            posted = [entry for entry in entries.values() if entry.is_posted]
            if posted:
                await self._tell(posted)
        return bool(await self._database.run(Seen.waiting_entries))

    async def _tell(self, entries: Sequence[JournalEntryRecord]) -> None:
        invoices, odd_invoices = await apart(self._erp.invoices.read, (e.invoice_id for e in entries if e.invoice_id))
        deferrals, odd_deferrals = await apart(
            self._erp.deferrals.read, (e.deferral_id for e in entries if e.deferral_id)
        )
        waiting = [e.id for e in entries if e.invoice_id in odd_invoices or e.deferral_id in odd_deferrals]
        parties = {record.customer_id for record in invoices.values()} | {d.customer_id for d in deferrals.values()}
        customers = await self._customers_of(parties)
        events: list[CanonicalEvent | None] = []
        coming: list[ComingRevenue] = []
        # The move that puts a whole amount into deferral recognises nothing, so it is no entry of the schedule.
        recognizing = {entry.journal_entry_id for record in deferrals.values() for entry in record.entries}
        told = [entry for entry in entries if entry.id not in waiting]
        for entry in told:
            owner = invoices.get(entry.invoice_id or "") or deferrals.get(entry.deferral_id or "")
            keys = differences.invoice_keys(owner, customers) if owner else {}
            events.append(differences.journal_posted(entry, keys))
            deferral = deferrals.get(entry.deferral_id or "")
            if deferral is not None and entry.id in recognizing:
                month = f"{entry.date:%Y-%m}"
                coming.append(ComingRevenue(move_id=entry.id, deferral_id=deferral.id, month=month, on=entry.date))
            elif deferral is not None:
                events.append(differences.schedule_created(deferral, entry, customers))
        ids = [entry.id for entry in told]
        await self._store(events, partial(Seen.put_entries, ids=ids, coming=coming, waiting=waiting))

    async def tell_revenue(self) -> None:
        """Tell of booked revenue whose day has come. Raises FieldError."""
        today = self._today()
        coming = await self._database.run(lambda c: Seen.revenue_until(c, today))
        for part in parts(coming):
            deferrals, unreadable = await apart(self._erp.deferrals.read, (one.deferral_id for one in part))
            customers = await self._customers_of({d.customer_id for d in deferrals.values()})
            events = [
                differences.revenue_recognized(deferrals[one.deferral_id], one.month, one.on, customers)
                for one in part
                if one.deferral_id in deferrals
            ]
            moves = [one.move_id for one in part if one.deferral_id not in unreadable]
            await self._store(events, partial(Seen.forget_revenue, move_ids=moves))
