"""What is left of a customer for a caller who may not see all systems: as if the others had never told of it.

Not only the records: the version, the rule that linked the first one, aliases and history say nothing of hidden ones either.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from subgraphs.identity.bounds import Bounds
from subgraphs.identity.customers import StoredCustomer, load_customers
from subgraphs.identity.history import ChangeKind, IdentityEntry, read_history
from subgraphs.identity.match import Rule


def confine(customer: StoredCustomer, hidden: Collection[str]) -> StoredCustomer | None:
    """Return what is left of a customer; None where only hidden systems have it. Nothing hidden: the customer itself."""
    if not hidden:
        return customer
    records = tuple(record for record in customer.records if record.system not in hidden)
    if customer.records and not records:
        return None
    if records and not any(record.rule is Rule.FOUNDING for record in records):
        # A first record that was linked to something would tell that there is something else.
        records = (replace(records[0], rule=Rule.FOUNDING, score=1.0), *records[1:])
    seen = json.dumps([[r.system, r.external_id, r.customer_id, r.linked_at, r.rule] for r in records])
    return replace(customer, records=records, mark=hashlib.sha256(seen.encode()).hexdigest()[:16])


def load_confined(
    connection: sqlite3.Connection, customer_ids: Iterable[str], hidden: Collection[str], bounds: Bounds = ()
) -> Mapping[str, StoredCustomer]:
    """Return asked id → customer, as `load_customers` does, of what is not hidden."""
    found = load_customers(connection, customer_ids, bounds)
    if not hidden:
        return found
    known = _known(connection, [asked for asked, customer in found.items() if asked != customer.id], hidden)
    return {
        asked: view
        for asked, customer in found.items()
        if (asked == customer.id or asked in known) and (view := confine(customer, hidden)) is not None
    }


def read_confined_history(
    connection: sqlite3.Connection, customer_ids: Iterable[str], hidden: Collection[str]
) -> Mapping[str, tuple[IdentityEntry, ...]]:
    """Return customer id → its lines, oldest first, without those that are about hidden records."""
    found = read_history(connection, customer_ids)
    if not hidden:
        return found
    merged = {e.other_customer_id for entries in found.values() for e in entries if e.system is None}
    known = _known(connection, [other for other in merged if other is not None], hidden)
    shown: dict[str, tuple[IdentityEntry, ...]] = {}
    for customer_id, entries in found.items():
        left = [e for e in entries if (e.other_customer_id in known if e.system is None else e.system not in hidden)]
        if left and left[0].kind is ChangeKind.LINKED:
            left[0] = replace(left[0], kind=ChangeKind.CREATED, rule=Rule.FOUNDING)
        shown[customer_id] = tuple(left)
    return shown


def _known(connection: sqlite3.Connection, customer_ids: Sequence[str], hidden: Collection[str]) -> frozenset[str]:
    """Return which customers, merged away or not, ever had a record that is not hidden."""
    rows = connection.execute(
        "select distinct customer_id from history where customer_id in (select value from json_each(?))"
        " and system is not null and system not in (select value from json_each(?))",
        (json.dumps(sorted(customer_ids)), json.dumps(sorted(hidden))),
    )
    return frozenset(row[0] for row in rows)
