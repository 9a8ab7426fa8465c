"""Records that their system has deleted: the link ends, and comes back as it was should the record ever be restored.

A customer that no system has a record of any more is not found and not listed; its id stays taken.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from subgraphs.identity.directory import refresh_directory
from subgraphs.identity.history import ChangeKind, IdentityEntry, write_history
from subgraphs.identity.identity_events import records_changed
from subgraphs.identity.match import Rule
from subgraphs.kit.canonical_event import CanonicalEvent


def take_away(
    connection: sqlite3.Connection, system: str, external_ids: Iterable[str], at: float
) -> tuple[CanonicalEvent, ...]:
    """Forget a system's records, as of `at` (unix seconds); return what to tell. Doing it again changes nothing."""
    events: list[CanonicalEvent] = []
    customers: set[str] = set()
    for external_id in external_ids:
        key = (system, external_id)
        row = connection.execute(
            "select customer_id, rule from records where system = ? and external_id = ?", key
        ).fetchone()
        if row is None:
            continue
        for table in ("name_words", "parents", "records"):
            connection.execute(f"delete from {table} where system = ? and external_id = ?", key)  # noqa: S608 - ours
        customer_id, rule = row
        if customer_id is not None:
            entry = IdentityEntry(kind=ChangeKind.GONE, at=at, system=system, external_id=external_id, rule=Rule(rule))
            write_history(connection, customer_id, entry)
            (version,) = connection.execute(
                "update customers set version = version + 1 where id = ? returning version", (customer_id,)
            ).fetchone()
            events.append(records_changed(customer_id, version, at, lost=":".join(key)))
            customers.add(customer_id)
    connection.executemany(
        "insert or ignore into gone_customers select ? where not exists (select 1 from records where customer_id = ?)",
        [(customer_id, customer_id) for customer_id in sorted(customers)],
    )
    refresh_directory(connection, customers)
    return tuple(events)


def former_link(connection: sqlite3.Connection, system: str, external_id: str) -> tuple[str, Rule] | None:
    """Return the customer that a deleted record was, or the one that this has been merged into, and the rule that linked it."""
    row = connection.execute(
        "select coalesce(c.merged_into, c.id), h.rule from history h join customers c on c.id = h.customer_id"
        " where h.kind = 'GONE' and h.system = ? and h.external_id = ? order by h.number desc limit 1",
        (system, external_id),
    ).fetchone()
    return None if row is None else (row[0], Rule(row[1]))
