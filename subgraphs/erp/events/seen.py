"""What the feeds have seen of the ERP, so that a change is told once: over polls that overlap, restarts and crashes."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import orjson

from subgraphs.erp.records import InvoiceRecord, InvoiceStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenInvoice:
    """An invoice as it was when it was last looked at."""

    id: str
    number: str | None
    status: InvoiceStatus
    payment_ids: frozenset[str]
    due_on: dt.date | None
    customer_id: str
    contract: str | None
    version: str
    is_due_soon_told: bool
    is_overdue_told: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ComingRevenue:
    """Revenue that is booked for a day to come."""

    move_id: str
    deferral_id: str
    month: str
    on: dt.date


class Seen:
    """The tables of the feeds; its methods work within a transaction of `Database.run`."""

    SCHEMA = """
        create table if not exists seen_customer (id text primary key, on_hold integer not null) without rowid;
        create table if not exists seen_invoice (
            id text primary key, number text, status text not null, payment_ids text not null, due_on text,
            customer_id text not null, contract text, version text not null,
            due_soon_told integer not null, overdue_told integer not null
        ) without rowid;
        create index if not exists seen_invoice_waiting on seen_invoice (due_on) where status = 'POSTED';
        create table if not exists seen_journal_entry (id text primary key) without rowid;
        create table if not exists waiting_journal_entry (id text primary key) without rowid;
        create table if not exists coming_revenue (
            move_id text primary key, deferral_id text not null, month text not null, due_on text not null
        ) without rowid;
    """

    @staticmethod
    def customers(c: sqlite3.Connection, ids: Sequence[str]) -> Mapping[str, bool]:
        """Return who was on hold, by id; customers not seen yet are left out."""
        rows = c.execute(f"select id, on_hold from seen_customer where id in ({_marks(ids)})", list(ids))  # noqa: S608 - only question marks
        return {row[0]: bool(row[1]) for row in rows}

    @staticmethod
    def put_customers(c: sqlite3.Connection, holds: Mapping[str, bool]) -> None:
        """Remember who is on hold."""
        c.executemany("insert or replace into seen_customer values (?, ?)", list(holds.items()))

    @staticmethod
    def invoices(c: sqlite3.Connection, ids: Sequence[str]) -> Mapping[str, SeenInvoice]:
        """Return the invoices seen before, by id."""
        rows = c.execute(f"select * from seen_invoice where id in ({_marks(ids)})", list(ids))  # noqa: S608 - only question marks
        return {row[0]: _invoice(row) for row in rows}

    @staticmethod
    def put_invoices(
        c: sqlite3.Connection, records: Iterable[InvoiceRecord], *, told_until: tuple[dt.date, dt.date] | None
    ) -> None:
        """Remember the invoices. `told_until`: (overdue before, due soon until) count as told, as for history at the first look."""
        overdue_before, soon_until = told_until or (None, None)
        for record in records:
            due = record.due_on
            soon = int(due is not None and soon_until is not None and due <= soon_until)
            overdue = int(due is not None and overdue_before is not None and due < overdue_before)
            c.execute(
                "insert into seen_invoice values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (id) do update set"
                # A due date that moved is a new one to tell of.
                " due_soon_told = case when due_on is excluded.due_on then due_soon_told else 0 end,"
                " overdue_told = case when due_on is excluded.due_on then overdue_told else 0 end,"
                " number = excluded.number, status = excluded.status, payment_ids = excluded.payment_ids,"
                " due_on = excluded.due_on, customer_id = excluded.customer_id, contract = excluded.contract,"
                " version = excluded.version",
                (
                    record.id,
                    record.number,
                    record.status.value,
                    orjson.dumps(record.payment_ids).decode(),
                    None if due is None or record.is_credit_memo else due.isoformat(),
                    record.customer_id,
                    record.contract,
                    record.version,
                    soon,
                    overdue,
                ),
            )

    @staticmethod
    def overdue(c: sqlite3.Connection, today: dt.date) -> Sequence[SeenInvoice]:
        """Return the open invoices past their due date that were not told of, the earliest first."""
        rows = c.execute(
            "select * from seen_invoice where status = 'POSTED' and due_on < ? and not overdue_told order by due_on, id",
            (today.isoformat(),),
        )
        return [_invoice(row) for row in rows]

    @staticmethod
    def due_soon(c: sqlite3.Connection, today: dt.date, until: dt.date) -> Sequence[SeenInvoice]:
        """Return the open invoices due between today and `until` that were not told of, the earliest first."""
        rows = c.execute(
            "select * from seen_invoice where status = 'POSTED' and due_on between ? and ? and not due_soon_told"
            " order by due_on, id",
            (today.isoformat(), until.isoformat()),
        )
        return [_invoice(row) for row in rows]

    @staticmethod
    def tell(c: sqlite3.Connection, *, overdue: Iterable[str] = (), due_soon: Iterable[str] = ()) -> None:
        """Note what was told of."""
        c.executemany("update seen_invoice set overdue_told = 1 where id = ?", [(i,) for i in overdue])
        c.executemany("update seen_invoice set due_soon_told = 1 where id = ?", [(i,) for i in due_soon])

    @staticmethod
    def new_entries(c: sqlite3.Connection, ids: Sequence[str]) -> frozenset[str]:
        """Return which journal entries were not told of."""
        rows = c.execute(f"select id from seen_journal_entry where id in ({_marks(ids)})", list(ids))  # noqa: S608 - only question marks
        return frozenset(ids) - {row[0] for row in rows}

    @staticmethod
    def waiting_entries(c: sqlite3.Connection) -> Sequence[str]:
        """Return the entries that are to be looked at again."""
        return [row[0] for row in c.execute("select id from waiting_journal_entry order by id")]

    @staticmethod
    def put_waiting_entries(c: sqlite3.Connection, ids: Iterable[str]) -> None:
        """Note entries that are to be looked at again, unless they were told of."""
        c.executemany(
            "insert or ignore into waiting_journal_entry select ? where not exists"
            " (select 1 from seen_journal_entry where id = ?)",
            [(i, i) for i in ids],
        )

    @staticmethod
    def drop_waiting_entries(c: sqlite3.Connection, ids: Iterable[str]) -> None:
        """Note entries as looked at, though nothing was told of them."""
        c.executemany("delete from waiting_journal_entry where id = ?", [(i,) for i in ids])

    @staticmethod
    def put_entries(
        c: sqlite3.Connection, ids: Sequence[str], coming: Iterable[ComingRevenue], waiting: Iterable[str] = ()
    ) -> None:
        """Note entries as told of, revenue to tell of when its day comes, and entries to be looked at again."""
        c.executemany("insert or ignore into seen_journal_entry values (?)", [(i,) for i in ids])
        c.executemany("delete from waiting_journal_entry where id = ?", [(i,) for i in ids])
        c.executemany("insert or ignore into waiting_journal_entry values (?)", [(i,) for i in waiting])
        c.executemany(
            "insert or ignore into coming_revenue values (?, ?, ?, ?)",
            [(one.move_id, one.deferral_id, one.month, one.on.isoformat()) for one in coming],
        )

    @staticmethod
    def revenue_until(c: sqlite3.Connection, today: dt.date) -> Sequence[ComingRevenue]:
        """Return the booked revenue whose day has come."""
        rows = c.execute(
            "select move_id, deferral_id, month, due_on from coming_revenue where due_on <= ? order by due_on, move_id",
            (today.isoformat(),),
        )
        return [
            ComingRevenue(move_id=move, deferral_id=deferral, month=month, on=dt.date.fromisoformat(on))
            for move, deferral, month, on in rows
        ]

    @staticmethod
    def forget_revenue(c: sqlite3.Connection, move_ids: Iterable[str]) -> None:
        """Note revenue as told of."""
        c.executemany("delete from coming_revenue where move_id = ?", [(i,) for i in move_ids])


def _marks(ids: Sequence[str]) -> str:
    return ",".join("?" * len(ids))


def _invoice(row: tuple[str, ...]) -> SeenInvoice:
    invoice_id, number, status, payments, due_on, customer_id, contract, version, soon, overdue = row
    return SeenInvoice(
        id=invoice_id,
        number=number,
        status=InvoiceStatus(status),
        payment_ids=frozenset(orjson.loads(payments)),
        due_on=dt.date.fromisoformat(due_on) if due_on else None,
        customer_id=customer_id,
        contract=contract,
        version=version,
        is_due_soon_told=bool(soon),
        is_overdue_told=bool(overdue),
    )
