"""The root fields that find customers and the records nobody could place."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from typing import Annotated

import strawberry

from subgraphs.identity.awaited import still_synchronising
from subgraphs.identity.bounds import Bounds, within
from subgraphs.identity.confined import load_confined
from subgraphs.identity.context import IdentityInfo
from subgraphs.identity.customer_id import local_customer_id
from subgraphs.identity.customers import RECORD_COLUMNS, StoredRecord, read_record
from subgraphs.identity.directory import DirectoryField, DirectoryPage, DirectoryQuery, find_customers
from subgraphs.identity.hierarchy import find_differences
from subgraphs.identity.terms import CustomerStatus, Segment
from subgraphs.identity.types import Customer, find_customer
from subgraphs.identity.unmatched import UnmatchedRecord
from subgraphs.kit.connection import Connection, CursorValue, Edge, PageWindow, encode_cursor, page_of, page_window
from subgraphs.kit.current_request import current_request
from subgraphs.kit.demand import demand
from subgraphs.kit.described_enum import described_enum
from subgraphs.kit.global_id import local_id
from subgraphs.kit.order import OrderDirection
from subgraphs.kit.system_error import BadUserInputError

_MAX_IDS = 500


@described_enum(
    "What customers can be ordered by.",
    NAME="The name, in any case: sales' own, else what another system writes.",
    SEGMENT="The size class, by its name.",
    OWNER="Name of the colleague who looks after the customer.",
    OVERDUE_AMOUNT="What is past its due date: the figure alone, whatever its currency.",
    CREATED="When the graph first knew the customer.",
)
class CustomerOrderField(Enum):
    """Names of the directory's columns."""

    NAME = "NAME"
    SEGMENT = "SEGMENT"
    OWNER = "OWNER"
    OVERDUE_AMOUNT = "OVERDUE_AMOUNT"
    CREATED = "CREATED"


@strawberry.input(description="How customers are ordered; equal ones stay in one order.")
class CustomerOrder:
    """The argument `orderBy`."""

    field: CustomerOrderField = strawberry.field(description="Which value decides the order.")
    direction: OrderDirection = strawberry.field(default=OrderDirection.ASC, description="Ascending unless told.")


@strawberry.input(description="Customers that meet all stated conditions.")
class CustomerFilter:
    """The argument `filter`."""

    name_contains: str | None = strawberry.field(
        default=None, description="A part of the name as any of the systems writes it, in any case."
    )
    segment: list[Segment] | None = strawberry.field(
        default=None, description="In any of these size classes; an empty list finds nobody."
    )
    owner_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="Looked after by the account owner with this global id; an id of anything else is refused.",
    )
    status: list[CustomerStatus] | None = strawberry.field(
        default=None, description="In any of these states; an empty list finds nobody."
    )
    overdue: bool | None = strawberry.field(
        default=None, description="True: with invoices past their due date; false: without any."
    )
    ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description="Any of these global ids, those merged away included; at most 500."
    )


async def resolve_customer(
    info: IdentityInfo,
    id: Annotated[strawberry.ID, strawberry.argument(description="Global id of the customer.")],  # noqa: A002 - the argument's name
) -> Customer | None:
    """Return one customer; an id merged away gives the customer it went into."""
    return await find_customer(info, id)


async def resolve_customers(
    info: IdentityInfo,
    filter: CustomerFilter | None = None,  # noqa: A002 - the argument's name
    order_by: CustomerOrder | None = None,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> Connection[Customer]:
    """Return a page of the directory. Raises BadUserInputError."""
    window = page_window(first=first, after=after, last=last, before=before)
    order = order_by or CustomerOrder(field=CustomerOrderField.NAME)
    if filter is not None and filter.overdue is not None:
        demand("credit:read", "The filter `overdue`")
    if order.field is CustomerOrderField.OVERDUE_AMOUNT:
        demand("credit:read", "The order OVERDUE_AMOUNT")
    query = _directory_query(filter or CustomerFilter(), order, info.context.bounds)
    hidden = info.context.hidden_systems()
    page = await info.context.database.run(lambda connection: _find_customers(connection, query, window, hidden))
    await _note_awaited(info)
    stored = await info.context.customers.load_many([id_ for id_, _ in page.entries])
    edges = [
        Edge(node=Customer.of(customer), cursor=cursor)
        for customer, (_, cursor) in zip(stored, page.entries, strict=True)
        if customer is not None
    ]
    return page_of(edges, has_next=page.has_next, has_previous=page.has_previous, total_count=page.total)


async def resolve_unmatched_records(
    info: IdentityInfo,
    system: Annotated[
        str | None, strawberry.argument(description="Only this system's, as `Identity.system` says; without it, all.")
    ] = None,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> Connection[UnmatchedRecord]:
    """Return records on hold, by system and external id. Raises BadUserInputError."""
    window = page_window(first=first, after=after, last=last, before=before)
    hidden = info.context.hidden_systems()
    bounds = info.context.bounds
    records, total = await info.context.database.run(
        lambda connection: _find_held(connection, system, window, hidden, bounds)
    )
    shown, has_next, has_previous = window.cut(records)
    edges = [
        Edge(node=UnmatchedRecord.of(record), cursor=encode_cursor(record.system, record.external_id))
        for record in shown
    ]
    return page_of(edges, has_next=has_next, has_previous=has_previous, total_count=total)


async def resolve_hierarchy_differences(
    info: IdentityInfo,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> Connection[Customer]:
    """Return customers that systems have in different places, by id. Raises BadUserInputError."""
    window = page_window(first=first, after=after, last=last, before=before)
    hidden, bounds = info.context.hidden_systems(), info.context.bounds
    lower, upper = _id_cursor(window.after), _id_cursor(window.before)
    ids, total = await info.context.database.run(
        lambda connection: find_differences(
            connection, hidden, bounds, after=lower or "", before=upper, size=window.size + 1, backward=window.backward
        )
    )
    shown, has_next, has_previous = window.cut(ids)
    stored = await info.context.customers.load_many(shown)
    edges = [Edge(node=Customer.of(each), cursor=encode_cursor(each.id)) for each in stored if each is not None]
    return page_of(edges, has_next=has_next, has_previous=has_previous, total_count=total)


@strawberry.type
class Query:
    """What identity can be asked."""

    customer: Customer | None = strawberry.field(
        resolver=resolve_customer,
        description="The customer with this id, or with an id that was merged into it; null if there is none.",
    )
    customers: Connection[Customer] | None = strawberry.field(
        resolver=resolve_customers,
        description="Customers of all systems, by name unless ordered otherwise, found in copies that follow their owners within seconds.",
    )
    unmatched_records: Connection[UnmatchedRecord] | None = strawberry.field(
        resolver=resolve_unmatched_records,
        description="Records that wait for a person to say whose they are, by system and id.",
    )
    hierarchy_differences: Connection[Customer] | None = strawberry.field(
        resolver=resolve_hierarchy_differences,
        description="Customers that systems have in different places of their hierarchies; `Customer.hierarchies` says where.",
    )


async def _note_awaited(info: IdentityInfo) -> None:
    """Tell, beside the list, which systems may yet add to it."""
    current = current_request()
    if current is not None:
        path = info.path.as_list()
        current.shortcomings += [
            (path, still_synchronising(each)) for each in sorted(await info.context.pending_systems())
        ]


def _directory_query(wanted: CustomerFilter, order: CustomerOrder, bounds: Bounds) -> DirectoryQuery:
    if wanted.ids is not None and len(wanted.ids) > _MAX_IDS:
        raise BadUserInputError(f"Ask for at most {_MAX_IDS} ids.")
    return DirectoryQuery(
        name_contains=(wanted.name_contains or "").strip() or None,
        segments=None if wanted.segment is None else frozenset(wanted.segment),
        owner_id=_owner_id(wanted.owner_id),
        statuses=None if wanted.status is None else frozenset(wanted.status),
        overdue=wanted.overdue,
        ids=None if wanted.ids is None else frozenset(map(local_customer_id, wanted.ids)),
        bounds=bounds,
        order=DirectoryField[order.field.name],
        descending=order.direction is OrderDirection.DESC,
    )


def _owner_id(wanted: str | None) -> str | None:
    """Return the id as the directory has it: whole, since its owner is free to call its people anything."""
    if wanted is not None:
        local_id(wanted, "AccountOwner")
    return wanted


def _find_customers(
    connection: sqlite3.Connection, query: DirectoryQuery, window: PageWindow, hidden: Sequence[str]
) -> DirectoryPage:
    if hidden and query.ids is not None:
        # An id that only hidden records have given is no id of anybody.
        query = replace(query, ids=frozenset(load_confined(connection, query.ids, hidden)))
    return find_customers(connection, query, window, hidden)


def _find_held(
    connection: sqlite3.Connection, system: str | None, window: PageWindow, hidden: Sequence[str], bounds: Bounds
) -> tuple[list[StoredRecord], int]:
    """Return one record more than the page has, if there are more, and how many there are; the last first, if asked so.

    A record that is nobody's yet is beyond whatever bounds there are.
    """
    lower, upper = _held_cursor(window.after), _held_cursor(window.before)
    concealed = json.dumps(list(hidden))
    where = (
        "hold_reason is not null and (? is null or system = ?) and system not in (select value from json_each(?))"
        # One that waits only because of customers that are hidden would tell of them.
        " and (? = '[]' or suggestions = '[]' or exists (select 1 from json_each(records.suggestions) s join records r"
        " on r.customer_id = s.value ->> 1 where r.system not in (select value from json_each(?))))"
    )
    confined, values = within(bounds, "customer_id")
    where += f" and {confined}"
    asked = (system, system, concealed, concealed, concealed, *values)
    (total,) = connection.execute(f"select count(*) from records where {where}", asked).fetchone()  # noqa: S608
    direction = "desc" if window.backward else "asc"
    rows = connection.execute(
        f"select {RECORD_COLUMNS} from records where {where}"  # noqa: S608 - constants
        " and (system, external_id) > (?, ?) and (? is null or (system, external_id) < (?, ?))"
        f" order by system {direction}, external_id {direction} limit ?",
        (*asked, *(lower or ("", "")), upper and upper[0], *(upper or (None, None)), window.size + 1),
    )
    return [read_record(row) for row in rows], int(total)


def _id_cursor(cursor: tuple[CursorValue, ...] | None) -> str | None:
    match cursor:
        case None:
            return None
        case (str() as customer_id,):
            return customer_id
        case _:
            raise BadUserInputError("The cursor is not one of this list.")


def _held_cursor(cursor: tuple[CursorValue, ...] | None) -> tuple[str, str] | None:
    match cursor:
        case None:
            return None
        case (str() as system, str() as external_id):
            return system, external_id
        case _:
            raise BadUserInputError("The cursor is not one of this list.")
