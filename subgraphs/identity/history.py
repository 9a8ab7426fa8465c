"""What became of customers' identities: written with every change, read by `Customer.history`."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from subgraphs.identity.match import Rule


class ChangeKind(StrEnum):
    """What happened to a customer's identity."""

    CREATED = "CREATED"
    LINKED = "LINKED"
    """A record was found to be this customer."""
    UNLINKED = "UNLINKED"
    """A record was taken to another customer by hand."""
    MERGED_IN = "MERGED_IN"
    """Another customer was found to be this one."""
    MERGED_AWAY = "MERGED_AWAY"
    """This customer was found to be another one; the id goes on as an alias."""
    SPLIT_OFF = "SPLIT_OFF"
    """A record was split off into another customer."""
    SPLIT_FROM = "SPLIT_FROM"
    """A record came here from another customer by a split."""
    GONE = "GONE"
    """Its system has deleted a record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityEntry:
    """One line of a customer's history."""

    kind: ChangeKind
    at: float
    """Unix seconds."""
    system: str | None = None
    external_id: str | None = None
    other_customer_id: str | None = None
    rule: Rule | None = None
    reason: str | None = None
    """What the person who did it said."""


def write_history(
    connection: sqlite3.Connection, customer_id: str, entry: IdentityEntry, *, write_key: str | None = None
) -> None:
    """Add a line; `write_key` finds the effect of a write whose answer was lost."""
    connection.execute(
        "insert into history (customer_id, kind, at, system, external_id, other_customer_id, rule, reason, write_key)"
        " values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            customer_id,
            entry.kind,
            entry.at,
            entry.system,
            entry.external_id,
            entry.other_customer_id,
            entry.rule,
            entry.reason,
            write_key,
        ),
    )


def read_history(
    connection: sqlite3.Connection, customer_ids: Iterable[str]
) -> Mapping[str, tuple[IdentityEntry, ...]]:
    """Return customer id → its lines, oldest first."""
    found: defaultdict[str, list[IdentityEntry]] = defaultdict(list)
    for customer_id, kind, at, system, external_id, other, rule, reason in connection.execute(
        "select customer_id, kind, at, system, external_id, other_customer_id, rule, reason from history"
        " where customer_id in (select value from json_each(?)) order by number",
        (json.dumps(sorted(set(customer_ids))),),
    ):
        found[customer_id].append(
            IdentityEntry(
                kind=ChangeKind(kind),
                at=at,
                system=system,
                external_id=external_id,
                other_customer_id=other,
                rule=None if rule is None else Rule(rule),
                reason=reason,
            )
        )
    return {customer_id: tuple(entries) for customer_id, entries in found.items()}


def customer_of_write(connection: sqlite3.Connection, write_key: str) -> str | None:
    """Return the customer that an earlier write with this key changed first, if it was done."""
    row = connection.execute(
        "select customer_id from history where write_key = ? order by number limit 1", (write_key,)
    ).fetchone()
    return None if row is None else str(row[0])


def moved_records(connection: sqlite3.Connection, customer_id: str, into: str) -> frozenset[tuple[str, str]]:
    """Return the (system, external id)s that a merged customer gave to another when it was last merged."""
    row = connection.execute(
        "select at from history where customer_id = ? and kind = ? and other_customer_id = ? order by number desc limit 1",
        (customer_id, ChangeKind.MERGED_AWAY, into),
    ).fetchone()
    if row is None:
        return frozenset()
    rows = connection.execute(
        "select system, external_id from history where customer_id = ? and kind = ? and at = ? and system is not null",
        (customer_id, ChangeKind.MERGED_AWAY, row[0]),
    )
    return frozenset((system, external_id) for system, external_id in rows)
