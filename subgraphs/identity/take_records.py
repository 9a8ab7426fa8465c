"""Takes customer records into the crosswalk: links each to its customer, makes new customers, holds what is unclear."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from subgraphs.identity.candidates import find_candidates
from subgraphs.identity.customer_id import new_customer_id
from subgraphs.identity.directory import refresh_directory
from subgraphs.identity.gone import former_link
from subgraphs.identity.hierarchy import write_parent
from subgraphs.identity.history import ChangeKind, IdentityEntry, write_history
from subgraphs.identity.identity_events import customer_created, records_changed
from subgraphs.identity.match import Found, Hold, HoldReason, Link, Rule, Suggestion, decide
from subgraphs.identity.record import CustomerRecord
from subgraphs.kit.canonical_event import CanonicalEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Where the records of a batch belong."""

    customers: dict[str, str]
    """External id → customer id."""
    unmatched: dict[str, HoldReason]
    """External id → why it waits for a person."""
    events: tuple[CanonicalEvent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placed:
    """Where one record belongs, and why."""

    customer_id: str | None
    rule: Rule | None
    score: float | None
    hold: HoldReason | None = None
    suggestions: tuple[Suggestion, ...] = ()


def take_records(connection: sqlite3.Connection, records: Sequence[CustomerRecord], at: float) -> Taken:
    """Take the records in their order, as of `at` (unix seconds). Taking the same again changes nothing.

    A link that exists stays, whatever the record says later: ids are stable, and only a person moves a record. When
    its changed identifiers point to somebody else, that is held as a conflict.
    """
    customers: dict[str, str] = {}
    unmatched: dict[str, HoldReason] = {}
    events: list[CanonicalEvent] = []
    for record in records:
        placed = _place(connection, record, at, events)
        if placed.customer_id is not None:
            customers[record.external_id] = placed.customer_id
        elif placed.hold is not None:
            unmatched[record.external_id] = placed.hold
    refresh_directory(connection, customers.values())
    return Taken(customers=customers, unmatched=unmatched, events=tuple(events))


def _place(connection: sqlite3.Connection, record: CustomerRecord, at: float, events: list[CanonicalEvent]) -> _Placed:
    key = (record.system, record.external_id)
    row = connection.execute(
        "select customer_id, rule, score, plain_reference, plain_tax_id, plain_domain, plain_name, hold_reason, suggestions"
        " from records where system = ? and external_id = ?",
        key,
    ).fetchone()
    if row is not None and row[0] is not None:
        placed = _Placed(
            customer_id=row[0],
            rule=Rule(row[1]),
            score=row[2],
            hold=None if row[7] is None else HoldReason(row[7]),
            suggestions=tuple(Suggestion(score, id_, Rule(rule)) for score, id_, rule in json.loads(row[8])),
        )
        if tuple(row[3:7]) != _plain(record) and placed.rule is not Rule.MANUAL:
            placed = _recheck(connection, record, placed)
        _store(connection, record, placed, at, linked_now=False)
        return placed
    if row is None and (former := former_link(connection, *key)) is not None:
        customer_id, rule = former
        placed = _Placed(customer_id=customer_id, rule=rule, score=1.0)
        _store(connection, record, placed, at, linked_now=True)
        connection.execute("delete from gone_customers where id = ?", (customer_id,))
        events.append(_link(connection, record, customer_id, rule, at))
        return placed
    match decide(record.identifiers, find_candidates(connection, record.identifiers)):
        case Link(customer_id, rule, score, conflicts):
            hold = HoldReason.CONFLICT if conflicts else None
            placed = _Placed(customer_id=customer_id, rule=rule, score=score, hold=hold, suggestions=conflicts)
            _store(connection, record, placed, at, linked_now=True)
            events.append(_link(connection, record, customer_id, rule, at))
        case Found():
            customer_id = new_customer_id(connection, record)
            connection.execute("insert into customers (id, created_at) values (?, ?)", (customer_id, int(at * 1000)))
            placed = _Placed(customer_id=customer_id, rule=Rule.FOUNDING, score=1.0)
            _store(connection, record, placed, at, linked_now=True)
            entry = IdentityEntry(
                kind=ChangeKind.CREATED, at=at, system=record.system, external_id=record.external_id, rule=Rule.FOUNDING
            )
            write_history(connection, customer_id, entry)
            events.append(customer_created(customer_id, at))
        case Hold(reason, suggestions):
            placed = _Placed(customer_id=None, rule=None, score=None, hold=reason, suggestions=suggestions)
            _store(connection, record, placed, at, linked_now=False)
        case other:
            assert_never(other)
    return placed


def _recheck(connection: sqlite3.Connection, record: CustomerRecord, placed: _Placed) -> _Placed:
    """Return the same place, with a conflict where the record's new words point to somebody else."""
    others = find_candidates(connection, record.identifiers, apart_from=(record.system, record.external_id))
    match decide(record.identifiers, others):
        case Link(customer_id, rule, score) if customer_id != placed.customer_id:
            conflicts: tuple[Suggestion, ...] = (Suggestion(score, customer_id, rule),)
        case Link(conflicts=conflicts):
            pass
        case Hold(HoldReason.AMBIGUOUS, suggestions):
            conflicts = tuple(s for s in suggestions if s.customer_id != placed.customer_id)
        case Found() | Hold():
            conflicts = ()
        case other:
            assert_never(other)
    return _Placed(
        customer_id=placed.customer_id,
        rule=placed.rule,
        score=placed.score,
        hold=HoldReason.CONFLICT if conflicts else None,
        suggestions=conflicts,
    )


def _link(
    connection: sqlite3.Connection, record: CustomerRecord, customer_id: str, rule: Rule, at: float
) -> CanonicalEvent:
    (version,) = connection.execute(
        "update customers set version = version + 1 where id = ? returning version", (customer_id,)
    ).fetchone()
    entry = IdentityEntry(
        kind=ChangeKind.LINKED, at=at, system=record.system, external_id=record.external_id, rule=rule
    )
    write_history(connection, customer_id, entry)
    return records_changed(customer_id, version, at, gained=f"{record.system}:{record.external_id}")


def _plain(record: CustomerRecord) -> tuple[str | None, ...]:
    identifiers = record.identifiers
    return identifiers.reference, identifiers.tax_id, identifiers.domain, identifiers.name


def _store(
    connection: sqlite3.Connection, record: CustomerRecord, placed: _Placed, at: float, *, linked_now: bool
) -> None:
    key = (record.system, record.external_id)
    row = connection.execute("select facets from records where system = ? and external_id = ?", key).fetchone()
    merged = {**(json.loads(row[0]) if row else {}), **record.facets}
    facets = {name: value for name, value in merged.items() if value is not None}
    connection.execute(
        "insert into records (system, external_id, customer_id, rule, score, linked_at, reference, tax_id, domain, name,"
        " plain_reference, plain_tax_id, plain_domain, plain_name, version, facets, hold_reason, suggestions,"
        " first_seen, last_seen) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " on conflict do update set customer_id = excluded.customer_id, rule = excluded.rule, score = excluded.score,"
        " linked_at = coalesce(excluded.linked_at, linked_at), reference = excluded.reference, tax_id = excluded.tax_id,"
        " domain = excluded.domain, name = excluded.name, plain_reference = excluded.plain_reference,"
        " plain_tax_id = excluded.plain_tax_id, plain_domain = excluded.plain_domain, plain_name = excluded.plain_name,"
        " version = excluded.version, facets = excluded.facets, hold_reason = excluded.hold_reason,"
        " suggestions = excluded.suggestions, last_seen = excluded.last_seen",
        (
            record.system,
            record.external_id,
            placed.customer_id,
            placed.rule,
            placed.score,
            at if linked_now else None,
            record.reference,
            record.tax_id,
            record.domain,
            record.name,
            *_plain(record),
            record.version,
            json.dumps(facets),
            placed.hold,
            json.dumps([[s.score, s.customer_id, s.rule] for s in placed.suggestions]),
            at,
            at,
        ),
    )
    write_parent(connection, record)
    words = set((record.identifiers.name or "").split())
    connection.execute("delete from name_words where system = ? and external_id = ?", key)
    connection.executemany("insert into name_words values (?, ?, ?)", [(word, *key) for word in sorted(words)])
