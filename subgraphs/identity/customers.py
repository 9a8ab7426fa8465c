"""Reads customers with their records from the crosswalk's tables."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from subgraphs.identity.bounds import Bounds, within
from subgraphs.identity.match import HoldReason, Rule, Suggestion


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRecord:
    """A record as the crosswalk keeps it."""

    system: str
    external_id: str
    customer_id: str | None
    rule: Rule | None
    score: float | None
    linked_at: float | None
    """Unix seconds."""
    reference: str | None
    tax_id: str | None
    domain: str | None
    name: str | None
    hold_reason: HoldReason | None
    suggestions: tuple[Suggestion, ...]
    first_seen: float
    last_seen: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCustomer:
    """A customer and the records that are it, in the order in which they were linked."""

    id: str
    version: int
    """Rises with every change of the links."""
    records: tuple[StoredRecord, ...]
    mark: str | None = None
    """In place of the version, for a caller who does not see all records."""
    awaited: frozenset[str] = frozenset()
    """Systems that have yet to tell their customers, and perhaps a record of this one."""

    @property
    def shown_version(self) -> str:
        """What writes are to say that they saw."""
        return self.mark or str(self.version)

    def record_set(self, system: str) -> str | None:
        """Return the opaque reference of this customer's records in a system: "cus_1+cus_9".

        Records of a further instance, `erp/eu`, bear its name: "7+eu:12". One's own come first.
        """
        own = [record.external_id for record in self.records if record.system == system]
        begin = f"{system}/"
        further = [
            f"{record.system.removeprefix(begin)}:{record.external_id}"
            for record in self.records
            if record.system.startswith(begin)
        ]
        return "+".join((*own, *further)) or None


RECORD_COLUMNS = (
    "system, external_id, customer_id, rule, score, linked_at, reference, tax_id, domain, name,"
    " hold_reason, suggestions, first_seen, last_seen"
)


def read_record(row: Sequence[object]) -> StoredRecord:
    """Return a record from a row of `RECORD_COLUMNS`."""
    (system, external_id, customer_id, rule, score, linked_at, reference, tax_id, domain, name, hold, *rest) = row
    suggestions, first_seen, last_seen = rest
    return StoredRecord(
        system=str(system),
        external_id=str(external_id),
        customer_id=_text(customer_id),
        rule=None if rule is None else Rule(str(rule)),
        score=None if score is None else float(str(score)),
        linked_at=None if linked_at is None else float(str(linked_at)),
        reference=_text(reference),
        tax_id=_text(tax_id),
        domain=_text(domain),
        name=_text(name),
        hold_reason=None if hold is None else HoldReason(str(hold)),
        suggestions=tuple(Suggestion(entry[0], entry[1], Rule(entry[2])) for entry in json.loads(str(suggestions))),
        first_seen=float(str(first_seen)),
        last_seen=float(str(last_seen)),
    )


def load_customers(
    connection: sqlite3.Connection, customer_ids: Iterable[str], bounds: Bounds = ()
) -> Mapping[str, StoredCustomer]:
    """Return asked id → customer. An id merged away gives the customer it went into.

    Unknown ids are left out, and so are customers beyond the bounds, and those that no system has a record of any more.
    """
    asked = json.dumps(sorted(set(customer_ids)))
    confined, values = within(bounds, "c.id")
    current = {
        row[0]: (row[1], row[2])
        for row in connection.execute(
            "select asked.id, c.id, c.version from customers asked"  # noqa: S608 - a condition of ours
            " join customers c on c.id = coalesce(asked.merged_into, asked.id)"
            f" where asked.id in (select value from json_each(?)) and c.id not in (select id from gone_customers)"
            f" and {confined}",
            (asked, *values),
        )
    }
    records: dict[str, list[StoredRecord]] = {row[0]: [] for row in current.values()}
    for row in connection.execute(
        f"select {RECORD_COLUMNS} from records where customer_id in (select value from json_each(?))"  # noqa: S608 - a constant
        " order by linked_at, system, external_id",
        (json.dumps(sorted(records)),),
    ):
        record = read_record(row)
        assert record.customer_id is not None
        records[record.customer_id].append(record)
    return {
        asked_id: StoredCustomer(id=id_, version=version, records=tuple(records[id_]))
        for asked_id, (id_, version) in current.items()
    }


def find_owners(connection: sqlite3.Connection, records: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
    """Return (system, external id) → customer id for the records that are linked."""
    rows = connection.execute(
        "select system, external_id, customer_id from records join json_each(?) asked"
        " on system = asked.value ->> 0 and external_id = asked.value ->> 1 where customer_id is not null",
        (json.dumps(sorted(set(records))),),
    )
    return {(row[0], row[1]): row[2] for row in rows}


def records_of(connection: sqlite3.Connection, system: str, customer_id: str) -> Sequence[str]:
    """Return the external ids of a system's records of a customer."""
    rows = connection.execute(
        "select external_id from records where customer_id = ? and system = ? order by external_id",
        (customer_id, system),
    )
    return [row[0] for row in rows]


def records_within(connection: sqlite3.Connection, system: str, bounds: Bounds) -> Sequence[str]:
    """Return the external ids of a system's records whose customers are within bounds."""
    confined, values = within(bounds, "customer_id")
    return [
        row[0]
        for row in connection.execute(
            f"select external_id from records where system = ? and {confined} order by external_id",  # noqa: S608 - a constant
            (system, *values),
        )
    ]


def _text(value: object) -> str | None:
    return None if value is None else str(value)
