"""The directory: copies of what customers are found and ordered by. Never shown; their owners answer for them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from subgraphs.identity.bounds import Bounds, within, write_facets
from subgraphs.kit.connection import CursorValue, PageWindow, encode_cursor
from subgraphs.kit.system_error import BadUserInputError

_OWNERS = ("crm", "billing", "erp")
_OWNERS_OF_AMOUNTS = ("erp", "billing", "crm")
_SCALE = 10_000


class DirectoryField(StrEnum):
    """What customers can be ordered by; the value is the column."""

    NAME = "name"
    SEGMENT = "segment"
    OWNER = "owner_name"
    OVERDUE_AMOUNT = "overdue"
    CREATED = "created_at"

    @property
    def is_number(self) -> bool:
        """Whether the column holds numbers, not texts."""
        return self in {DirectoryField.OVERDUE_AMOUNT, DirectoryField.CREATED}


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryQuery:
    """Which customers, in which order. Conditions that are None don't matter."""

    name_contains: str | None = None
    segments: frozenset[str] | None = None
    owner_id: str | None = None
    statuses: frozenset[str] | None = None
    overdue: bool | None = None
    ids: frozenset[str] | None = None
    """Local ids, those merged away included."""
    bounds: Bounds = ()
    """What the caller is confined to."""
    order: DirectoryField = DirectoryField.NAME
    descending: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryPage:
    """A page of customer ids with their cursors."""

    entries: tuple[tuple[str, str], ...]
    """(customer id, cursor)."""
    has_next: bool
    has_previous: bool
    total: int


def find_customers(
    connection: sqlite3.Connection, query: DirectoryQuery, window: PageWindow, hidden: Sequence[str] = ()
) -> DirectoryPage:
    """Return one page of what is told by systems that are not `hidden`. Raises BadUserInputError for a cursor of another list."""
    source, of_source = _source(connection, hidden)
    where, parameters = _conditions(query)
    column = query.order.value
    (total,) = connection.execute(
        f"select count(*) from {source} where {where}",  # noqa: S608 - constants
        [*of_source, *parameters],
    ).fetchone()
    for cursor, is_after in ((window.after, True), (window.before, False)):
        if cursor is not None:
            # Ascending lists go on with greater values after a cursor; descending ones the other way round.
            sign = ">" if is_after != query.descending else "<"
            where += f" and ({column}, id) {sign} (?, ?)"
            parameters += _position(cursor, query)
    direction = "desc" if query.descending != window.backward else "asc"
    rows = connection.execute(
        f"select id, {column} from {source} where {where} order by {column} {direction}, id {direction} limit ?",  # noqa: S608
        [*of_source, *parameters, window.size + 1],
    ).fetchall()
    shown, has_next, has_previous = window.cut(rows)
    return DirectoryPage(
        entries=tuple((id_, encode_cursor(query.order.name, value, id_)) for id_, value in shown),
        has_next=has_next,
        has_previous=has_previous,
        total=total,
    )


def refresh_directory(connection: sqlite3.Connection, customer_ids: Iterable[str]) -> None:
    """Copy names and facets anew from the customers' records."""
    views = [(row[0], frozenset(json.loads(row[0]))) for row in connection.execute("select view from directory_views")]
    for customer_id in sorted(set(customer_ids)):
        records = _records(connection, customer_id)
        write_facets(connection, customer_id, _bounding(records))
        connection.execute(
            "update customers set name = ?, all_names = ?, segment = ?, owner_id = ?, owner_name = ?, status = ?,"
            " overdue = ? where id = ?",
            (*_entry(records), customer_id),
        )
        for view, hidden in views:
            _refresh_view(connection, view, customer_id, [record for record in records if record.system not in hidden])


def forget_views(connection: sqlite3.Connection) -> None:
    """Begin anew with what callers see who don't see everything: the configuration may have changed."""
    connection.execute("delete from confined_directory")
    connection.execute("delete from directory_views")


@dataclass(frozen=True, slots=True)
class _Record:
    system: str
    name: str | None
    reference: str | None
    facets: Mapping[str, str]
    linked_at: float

    @property
    def kind(self) -> str:
        """The system, whichever instance of it."""
        return self.system.partition("/")[0]


def _records(connection: sqlite3.Connection, customer_id: str) -> list[_Record]:
    rows = connection.execute(
        "select system, name, reference, facets, linked_at from records where customer_id = ? order by linked_at, system, external_id",
        (customer_id,),
    )
    return [_Record(system, name, key, json.loads(facets), at) for system, name, key, facets, at in rows]


def _ranked(records: Sequence[_Record]) -> Sequence[_Record]:
    """Return records with those of the system that owns most first, and of one system the one linked first."""
    return sorted(records, key=lambda record: _rank(record.kind, _OWNERS))


def _facets(ranked: Sequence[_Record]) -> Mapping[str, str]:
    """Return the facets as their owners say, the first of several records before the others."""
    return {name: value for record in reversed(ranked) for name, value in record.facets.items()}


def _bounding(records: Sequence[_Record]) -> Sequence[tuple[str, str]]:
    """Return what customers are confined by: the facets, and the business keys that their owner has given them.

    Customers that a person merged have several keys, and a tenant may go on with either.
    """
    ranked = _ranked(records)
    owner = next((record.kind for record in ranked if record.reference), None)
    keys = {record.reference for record in ranked if record.kind == owner and record.reference}
    return [*_facets(ranked).items(), *(("reference", key) for key in sorted(keys))]


def _entry(records: Sequence[_Record]) -> tuple[CursorValue, ...]:
    """Return name, all names, segment, owner id, owner name, status and overdue amount."""
    ranked = _ranked(records)
    names = [record.name for record in ranked if record.name]
    facets = _facets(ranked)
    return (
        names[0].casefold() if names else "",
        "\n".join(name.casefold() for name in names),
        facets.get("segment", ""),
        facets.get("ownerId", ""),
        facets.get("ownerName", "").casefold(),
        facets.get("status", ""),
        _overdue(ranked),
    )


def _refresh_view(connection: sqlite3.Connection, view: str, customer_id: str, records: Sequence[_Record]) -> None:
    connection.execute("delete from confined_directory where view = ? and id = ?", (view, customer_id))
    if records:
        # When the graph knew the customer first, as far as these records tell.
        created_at = int(min(record.linked_at for record in records) * 1000)
        connection.execute(
            "insert into confined_directory values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (view, customer_id, created_at, *_entry(records)),
        )


def _source(connection: sqlite3.Connection, hidden: Sequence[str]) -> tuple[str, list[CursorValue]]:
    """Return where the directory is read, with its parameters: a view of what is not hidden is made when it is first asked for."""
    if not hidden:
        return "customers", []
    view = json.dumps(sorted(hidden))
    if connection.execute("select 1 from directory_views where view = ?", (view,)).fetchone() is None:
        connection.execute("insert into directory_views values (?)", (view,))
        for (customer_id,) in connection.execute("select id from customers where merged_into is null").fetchall():
            seen = [record for record in _records(connection, customer_id) if record.system not in hidden]
            _refresh_view(connection, view, customer_id, seen)
    # One that has been merged away since may still have its line.
    return "(select d.*, c.merged_into from confined_directory d join customers c using (id) where d.view = ?)", [view]


def _overdue(records: Sequence[_Record]) -> int:
    """Return the amount of the system that owns it, summed over its records, in ten-thousandths."""
    for owner in _OWNERS_OF_AMOUNTS:
        amounts = [
            Decimal(record.facets["overdueAmount"])
            for record in records
            if record.kind == owner and "overdueAmount" in record.facets
        ]
        if amounts:
            return int(sum(amounts) * _SCALE)
    return 0


def _rank(system: str, owners: tuple[str, ...]) -> int:
    return owners.index(system) if system in owners else len(owners)


def _conditions(query: DirectoryQuery) -> tuple[str, list[CursorValue]]:
    clauses = ["merged_into is null", "id not in (select id from gone_customers)"]
    parameters = list[CursorValue]()
    for clause, value in (
        ("instr(all_names, ?) > 0", query.name_contains.casefold() if query.name_contains else None),
        ("segment in (select value from json_each(?))", _json_list(query.segments)),
        ("owner_id = ?", query.owner_id),
        ("status in (select value from json_each(?))", _json_list(query.statuses)),
    ):
        if value is not None:
            clauses.append(clause)
            parameters.append(value)
    if query.overdue is not None:
        clauses.append("overdue > 0" if query.overdue else "overdue <= 0")
    if query.ids is not None:
        clauses.append(
            "id in (select coalesce(merged_into, id) from customers where id in (select value from json_each(?)))"
        )
        parameters.append(json.dumps(sorted(query.ids)))
    clause, values = within(query.bounds, "id")
    clauses.append(clause)
    parameters += values
    return " and ".join(clauses), parameters


def _json_list(values: frozenset[str] | None) -> str | None:
    return None if values is None else json.dumps(sorted(values))


def _position(cursor: tuple[CursorValue, ...], query: DirectoryQuery) -> list[CursorValue]:
    match cursor:
        case (query.order.name, int() | str() as value, str() as id_) if (
            isinstance(value, int) is query.order.is_number
        ):
            return [value, id_]
        case _:
            raise BadUserInputError("The cursor is not one of this list in this order.")
