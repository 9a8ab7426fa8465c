"""What a person decides about identities: link a record, merge customers, split one. Each is one transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from subgraphs.identity.bounds import Bounds
from subgraphs.identity.confined import confine, load_confined
from subgraphs.identity.customer_id import new_customer_id
from subgraphs.identity.customers import StoredCustomer, load_customers
from subgraphs.identity.directory import refresh_directory
from subgraphs.identity.history import ChangeKind, IdentityEntry, moved_records, write_history
from subgraphs.identity.identity_events import customer_created, customer_merged, customer_merged_away, records_changed
from subgraphs.identity.match import Rule
from subgraphs.identity.record import CustomerRecord
from subgraphs.kit.canonical_event import CanonicalEvent
from subgraphs.kit.system_error import BadUserInputError, NotFoundError, Outcome, StaleVersionError


@dataclass(frozen=True, slots=True, kw_only=True)
class Decree:
    """What all decisions have in common."""

    customer_id: str
    """The customer it is about, by local id."""
    version: str
    """The customer's version that the person saw."""
    reason: str | None
    write_key: str | None
    at: float
    """Unix seconds."""
    hidden: tuple[str, ...] = ()
    """Systems that the person may not see: their records are not there for the decision."""
    bounds: Bounds = ()
    """What the person is confined to: other customers are none to them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """The customers as they are afterwards, by local id, and what to tell the world."""

    customer_id: str
    other_customer_id: str | None = None
    events: tuple[CanonicalEvent, ...] = ()


def link_record(connection: sqlite3.Connection, decree: Decree, record: tuple[str, str]) -> Decided:
    """Make a (system, external id) this customer's, for good. Raises NotFoundError, ConflictError, BadUserInputError."""
    customer = _customer(connection, decree.customer_id, decree)
    row = connection.execute(
        "select customer_id, rule from records where system = ? and external_id = ?", record
    ).fetchone()
    is_foreign = decree.bounds and not (row and row[0] and load_customers(connection, [row[0]], decree.bounds))
    if row is None or record[0] in decree.hidden or is_foreign:
        raise NotFoundError("No system has told of this record.", outcome=Outcome.NOT_APPLIED)
    previous, rule = row
    if previous == customer.id and rule == Rule.MANUAL:
        return Decided(customer_id=customer.id)
    _check_version(customer, decree)
    if previous is not None and previous != customer.id and _count(connection, previous, decree) == 1:
        raise BadUserInputError(
            "It is the only record of its customer: merge the customers instead.", outcome=Outcome.NOT_APPLIED
        )
    _move(connection, [record], customer.id, decree.at, pin=True)
    name = ":".join(record)
    events = [_changed(connection, customer.id, decree.at, gained=name)]
    _write(connection, decree, customer.id, ChangeKind.LINKED, record, previous if previous != customer.id else None)
    if previous is not None and previous != customer.id:
        events.append(_changed(connection, previous, decree.at, lost=name))
        _write(connection, decree, previous, ChangeKind.UNLINKED, record, customer.id)
        refresh_directory(connection, [previous])
    refresh_directory(connection, [customer.id])
    return Decided(customer_id=customer.id, events=tuple(events))


def merge_customers(connection: sqlite3.Connection, decree: Decree, duplicates: Sequence[str]) -> Decided:
    """Make other customers this one; their ids go on as aliases. Raises NotFoundError, ConflictError."""
    survivor = _customer(connection, decree.customer_id, decree)
    others = {id_: _customer(connection, id_, decree) for id_ in duplicates}
    away = {other.id: other for id_, other in others.items() if other.id != survivor.id}
    if not away:
        if survivor.id in duplicates:
            raise BadUserInputError("A customer can't be merged into itself.", outcome=Outcome.NOT_APPLIED)
        return Decided(customer_id=survivor.id)
    _check_version(survivor, decree)
    events = []
    for other in away.values():
        records = [(record.system, record.external_id) for record in other.records]
        _write(connection, decree, survivor.id, ChangeKind.MERGED_IN, None, other.id)
        for record in records:
            _write(connection, decree, other.id, ChangeKind.MERGED_AWAY, record, survivor.id)
        _move(connection, records, survivor.id, decree.at, pin=False)
        connection.execute(
            "update customers set merged_into = ?, version = version + 1 where id = ? or merged_into = ?",
            (survivor.id, other.id, other.id),
        )
        events.append(customer_merged(survivor.id, other.id, _raise_version(connection, survivor.id), decree.at))
        events.append(customer_merged_away(other.id, survivor.id, other.version + 1, decree.at))
    refresh_directory(connection, [survivor.id])
    return Decided(customer_id=survivor.id, events=tuple(events))


def split_customer(connection: sqlite3.Connection, decree: Decree, records: Sequence[tuple[str, str]]) -> Decided:
    """Make some records of this customer another customer: the one that was merged with just these, else a new one.

    Raises NotFoundError, ConflictError, BadUserInputError.
    """
    customer = _customer(connection, decree.customer_id, decree)
    _check_version(customer, decree)
    leaving = list(dict.fromkeys(records))
    own = {
        (record.system, record.external_id): record for record in customer.records if record.system not in decree.hidden
    }
    if not leaving or not own.keys() > set(leaving):
        raise BadUserInputError("Name some, not all, of the customer's records.", outcome=Outcome.NOT_APPLIED)
    other = _revive(connection, customer.id, frozenset(leaving))
    events = []
    if other is None:
        first = own[leaving[0]]
        founder = CustomerRecord(
            system=first.system, external_id=first.external_id, reference=first.reference, tax_id=first.tax_id
        )
        other = new_customer_id(connection, founder)
        connection.execute("insert into customers (id, created_at) values (?, ?)", (other, int(decree.at * 1000)))
        events.append(customer_created(other, decree.at))
    _move(connection, leaving, other, decree.at, pin=True)
    for record in leaving:
        name = ":".join(record)
        _write(connection, decree, customer.id, ChangeKind.SPLIT_OFF, record, other)
        _write(connection, decree, other, ChangeKind.SPLIT_FROM, record, customer.id)
        events.append(_changed(connection, customer.id, decree.at, lost=name))
        events.append(_changed(connection, other, decree.at, gained=name))
    refresh_directory(connection, [customer.id, other])
    return Decided(customer_id=customer.id, other_customer_id=other, events=tuple(events))


def _customer(connection: sqlite3.Connection, customer_id: str, decree: Decree) -> StoredCustomer:
    """Return the customer with all its records, if the person may see it."""
    customer = load_customers(connection, [customer_id], decree.bounds).get(customer_id)
    if customer is None or customer_id not in load_confined(connection, [customer_id], decree.hidden):
        raise NotFoundError("There is no such customer.", outcome=Outcome.NOT_APPLIED)
    return customer


def _check_version(customer: StoredCustomer, decree: Decree) -> None:
    seen = confine(customer, decree.hidden)
    if seen is None:
        raise NotFoundError("There is no such customer.", outcome=Outcome.NOT_APPLIED)
    if seen.shown_version != decree.version:
        told = "The customer's identity has changed since it was read; read it again."
        raise StaleVersionError(told, current={"version": seen.shown_version})


def _count(connection: sqlite3.Connection, customer_id: str, decree: Decree) -> int:
    row = connection.execute(
        "select count(*) from records where customer_id = ? and system not in (select value from json_each(?))",
        (customer_id, json.dumps(decree.hidden)),
    ).fetchone()
    return int(row[0])


def _move(
    connection: sqlite3.Connection, records: Sequence[tuple[str, str]], customer_id: str, at: float, *, pin: bool
) -> None:
    """Give records to a customer, after those it has; `pin` says that no rule may doubt it."""
    connection.executemany(
        "update records set customer_id = ?, linked_at = ?, rule = iif(?, 'MANUAL', rule), score = iif(?, 1.0, score),"
        " hold_reason = null, suggestions = '[]' where system = ? and external_id = ?",
        [(customer_id, at, pin, pin, *record) for record in records],
    )


def _raise_version(connection: sqlite3.Connection, customer_id: str) -> int:
    row = connection.execute(
        "update customers set version = version + 1 where id = ? returning version", (customer_id,)
    ).fetchone()
    return int(row[0])


def _changed(
    connection: sqlite3.Connection, customer_id: str, at: float, *, gained: str | None = None, lost: str | None = None
) -> CanonicalEvent:
    return records_changed(customer_id, _raise_version(connection, customer_id), at, gained=gained, lost=lost)


def _revive(connection: sqlite3.Connection, customer_id: str, leaving: frozenset[tuple[str, str]]) -> str | None:
    """Return the alias whose records these were, as a customer again; None if there is none."""
    for (alias,) in connection.execute(
        "select id from customers where merged_into = ? order by id", (customer_id,)
    ).fetchall():
        if moved_records(connection, alias, customer_id) == leaving:
            connection.execute("update customers set merged_into = null where id = ?", (alias,))
            _give_back_aliases(connection, customer_id, str(alias))
            return str(alias)
    return None


def _give_back_aliases(connection: sqlite3.Connection, customer_id: str, revived: str) -> None:
    """Let aliases that had come to a customer by way of another one, which is itself again, lead to that one."""
    into = dict(
        connection.execute(
            "select h.customer_id, h.other_customer_id from history h join customers c on c.id = h.customer_id"
            " where c.merged_into = ? and h.kind = ? order by h.number",
            (customer_id, ChangeKind.MERGED_AWAY),
        ).fetchall()
    )
    for alias in into:
        step = alias
        while step in into:
            step = into[step]
        if step == revived:
            connection.execute("update customers set merged_into = ? where id = ?", (revived, alias))


def _write(
    connection: sqlite3.Connection,
    decree: Decree,
    customer_id: str,
    kind: ChangeKind,
    record: tuple[str, str] | None,
    other: str | None,
) -> None:
    entry = IdentityEntry(
        kind=kind,
        at=decree.at,
        system=record[0] if record else None,
        external_id=record[1] if record else None,
        other_customer_id=other,
        rule=Rule.MANUAL,
        reason=decree.reason,
    )
    write_history(connection, customer_id, entry, write_key=decree.write_key)
