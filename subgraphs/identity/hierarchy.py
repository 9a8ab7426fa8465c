"""Who belongs to whom, as each system says: a record points to another of the same system, and both are somebody's.

What is compared are customers, so that systems with ids of their own can agree.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from subgraphs.identity.bounds import Bounds, within
from subgraphs.identity.record import CustomerRecord


class HierarchyDifference(StrEnum):
    """How a system's hierarchy differs, about one customer, from the one that it is measured by."""

    MISSING = "MISSING"
    EXTRA = "EXTRA"
    OTHER = "OTHER"
    UNPLACED = "UNPLACED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one system has a customer."""

    customer_id: str
    system: str
    external_id: str
    """The record that says so."""
    parent_external_id: str | None
    """The record that it belongs to; None: to none."""
    parent_id: str | None
    """Whose record that is; None also where nobody knows."""

    def difference_from(self, measure: Place) -> HierarchyDifference | None:
        """Return how this place differs from another of the same customer, or None."""
        if self is measure:
            return None
        if self.parent_external_id is None:
            return None if measure.parent_external_id is None else HierarchyDifference.MISSING
        if self.parent_id is None:
            return HierarchyDifference.UNPLACED
        if measure.parent_external_id is None:
            return HierarchyDifference.EXTRA
        return None if self.parent_id == measure.parent_id else HierarchyDifference.OTHER


def measure_of(places: Sequence[Place]) -> Place | None:
    """Return the place that a customer's others are measured by: the CRM's, which owns the hierarchy, else the first."""
    return next((place for place in places if place.system.partition("/")[0] == "crm"), next(iter(places), None))


def write_parent(connection: sqlite3.Connection, record: CustomerRecord) -> None:
    """Note where a system has a record; one that keeps no hierarchy has it nowhere."""
    key = (record.system, record.external_id)
    if record.parent is None:
        connection.execute("delete from parents where system = ? and external_id = ?", key)
    else:
        connection.execute("insert or replace into parents values (?, ?, ?)", (*key, record.parent))


def _placed(hidden: Collection[str], bounds: Bounds) -> tuple[str, list[str]]:
    """Return the query of all places that a caller may see, and its parameters: a parent beyond the bounds is none."""
    mine, mine_values = within(bounds, "r.customer_id")
    theirs, theirs_values = within(bounds, "o.customer_id")
    sql = (
        "select r.customer_id, r.system, r.external_id,"  # noqa: S608 - conditions of ours
        " case when p.parent = '' or o.customer_id = r.customer_id then null"
        f" when o.customer_id is null then iif(?, null, p.parent) when {theirs} then p.parent end as parent,"
        f" case when o.customer_id <> r.customer_id and {theirs} then o.customer_id end as parent_id"
        " from parents p join records r using (system, external_id)"
        " left join records o on o.system = p.system and o.external_id = p.parent"
        f" where r.customer_id is not null and r.system not in (select value from json_each(?)) and {mine}"
    )
    return sql, [
        "1" if bounds else "0", *theirs_values, *theirs_values, json.dumps(sorted(hidden)), *mine_values,
    ]  # fmt: skip


def read_places(
    connection: sqlite3.Connection, customer_ids: Iterable[str], hidden: Collection[str], bounds: Bounds
) -> dict[str, list[Place]]:
    """Return customer id → its places by system; a system with several records of it has several."""
    sql, values = _placed(hidden, bounds)
    found: dict[str, list[Place]] = {}
    for customer_id, system, external_id, parent, parent_id in connection.execute(
        f"{sql} and r.customer_id in (select value from json_each(?)) order by r.system, r.linked_at, r.external_id",  # noqa: S608 - see above
        (*values, json.dumps(sorted(set(customer_ids)))),
    ):
        found.setdefault(customer_id, []).append(
            Place(
                customer_id=customer_id,
                system=system,
                external_id=external_id,
                parent_external_id=parent,
                parent_id=parent_id,
            )
        )
    return found


def read_children(
    connection: sqlite3.Connection, records: Iterable[tuple[str, str]], hidden: Collection[str], bounds: Bounds
) -> dict[tuple[str, str], list[str]]:
    """Return (system, external id) → the customers whose records there belong to it."""
    confined, values = within(bounds, "child.customer_id")
    found: dict[tuple[str, str], list[str]] = {}
    for system, external_id, child in connection.execute(
        "select distinct own.system, own.external_id, child.customer_id from json_each(?) asked"  # noqa: S608 - conditions of ours
        " join records own on own.system = asked.value ->> 0 and own.external_id = asked.value ->> 1"
        " join parents p on p.system = own.system and p.parent = own.external_id"
        " join records child on child.system = p.system and child.external_id = p.external_id"
        f" where child.customer_id <> own.customer_id and own.system not in (select value from json_each(?)) and {confined}"
        " order by child.customer_id",
        (json.dumps(sorted(set(records))), json.dumps(sorted(hidden)), *values),
    ):
        found.setdefault((system, external_id), []).append(child)
    return found


def find_differences(
    connection: sqlite3.Connection,
    hidden: Collection[str],
    bounds: Bounds,
    *,
    after: str,
    before: str | None,
    size: int,
    backward: bool,
) -> tuple[list[str], int]:
    """Return ids of customers whose places differ, in their order, and how many there are in all; the last first, if asked so."""
    sql, values = _placed(hidden, bounds)
    # A parent that nobody knows differs from every other one.
    differing = (
        f"select customer_id from ({sql}) group by customer_id"  # noqa: S608 - conditions of ours
        " having count(distinct coalesce(parent_id, iif(parent is null, '', system || ' ' || parent))) > 1"
    )
    (total,) = connection.execute(f"select count(*) from ({differing})", values).fetchone()  # noqa: S608
    direction = "desc" if backward else "asc"
    rows = connection.execute(
        f"select customer_id from ({differing}) where customer_id > ? and (? is null or customer_id < ?)"  # noqa: S608
        f" order by customer_id {direction} limit ?",
        (*values, after, before, before, size),
    )
    return [row[0] for row in rows], int(total)
