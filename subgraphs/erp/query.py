"""The root fields that read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

import strawberry

from subgraphs.erp import port
from subgraphs.erp.context import Info
from subgraphs.erp.port import InvoiceQuery
from subgraphs.erp.types.enums import InvoiceOrderField
from subgraphs.erp.types.inputs import InvoiceFilter, InvoiceOrder, ordered, to_query
from subgraphs.erp.types.invoice import Invoice, invoices_of
from subgraphs.erp.types.ledger import AccountingPeriod
from subgraphs.kit.connection import (
    Connection,
    Edge,
    PageWindow,
    connection_of,
    encode_cursor,
    page_of,
    page_window,
)
from subgraphs.kit.global_id import local_id
from subgraphs.kit.order import OrderDirection
from subgraphs.kit.system_error import BadUserInputError
from subgraphs.kit.system_of_record import SystemOfRecord

_SCAN = 1000
_ID = re.compile(r"([a-z][a-z0-9-]*:)?[0-9]{1,18}", re.ASCII)


@strawberry.type
class Query:
    """Reads."""

    @strawberry.field(description="The ERPs behind the graph, one's own first: what their adaptors can do.")
    def erp_systems(self, info: Info) -> list[SystemOfRecord] | None:
        return info.context.systems()

    @strawberry.field(description="The invoice with this global id; null if there is none.")
    async def invoice(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="Global id of the invoice.")],  # noqa: A002 - the argument's name in the graph
    ) -> Invoice | None:
        record = await info.context.invoices.load(local_id(id, "Invoice"))
        return None if record is None or record.is_credit_memo else Invoice.of(record)

    @strawberry.field(description="Invoices of all customers, the newest first unless ordered otherwise.")
    async def invoices(
        self,
        info: Info,
        filter: InvoiceFilter | None = None,  # noqa: A002 - the argument's name in the graph
        order_by: InvoiceOrder | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Invoice] | None:
        window = page_window(first=first, after=after, last=last, before=before)
        customer_ids = None
        if filter is not None and filter.customer_id is not None:
            local_id(filter.customer_id, "Customer")
            customer_ids = await info.context.links.external_ids(filter.customer_id)
        query = to_query(filter, customer_ids=customer_ids)
        order = order_by or InvoiceOrder()
        if order.field is InvoiceOrderField.DUE_ON:
            return await _in_memory(info, query, order, window)
        count = await info.context.erp.count_invoices(query) if _asks_for_count(info) else None
        return await _page(info, query, order, window, count)

    @strawberry.field(description="The months of the books, the newest first.")
    async def accounting_periods(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[AccountingPeriod] | None:
        window = page_window(first=first, after=after, last=last, before=before)
        periods = [AccountingPeriod.of(record) for record in await info.context.erp.list_periods()]
        return connection_of(periods, window, identity=lambda period: period.id)


async def _in_memory(info: Info, query: InvoiceQuery, order: InvoiceOrder, window: PageWindow) -> Connection[Invoice]:
    """Order by a field that the ERP can't order by, where the filter leaves few enough to read them all."""
    is_narrow = query.is_open_only or query.contract or query.customer_ids is not None or query.customer_reference
    if not is_narrow:
        raise BadUserInputError("To order by DUE_ON, filter by customer, contract, status POSTED or overdue.")
    page = await info.context.erp.list_invoices(query, port.InvoiceOrder(), size=_SCAN, after=None)
    if page.has_more:
        raise BadUserInputError(f"More than {_SCAN} invoices match; filter further to order by DUE_ON.")
    return connection_of(invoices_of(ordered(page.invoices, order)), window, identity=lambda invoice: invoice.id)


async def _page(
    info: Info, query: InvoiceQuery, order: InvoiceOrder, window: PageWindow, count: int | None
) -> Connection[Invoice]:
    """Read one page from the ERP; a backward page is read in the opposite order and turned round."""
    is_descending = (order.direction is OrderDirection.DESC) is not window.backward
    start, bound = (window.before, window.after) if window.backward else (window.after, window.before)
    port_order = port.InvoiceOrder(field=order.field.value, is_descending=is_descending)
    found = await info.context.erp.list_invoices(
        query, port_order, size=window.size, after=_position(start, port_order)
    )
    records, has_more = list(found.invoices), found.has_more
    if (end := _position(bound, port_order)) is not None:
        ids = [record.id for record in records]
        if end.id in ids:
            records, has_more = records[: ids.index(end.id)], False
    if window.backward:
        records.reverse()
    edges = [
        Edge(node=Invoice.of(record), cursor=encode_cursor(port_order.field, port_order.value_of(record), record.id))
        for record in records
    ]
    is_inside = start is not None
    return page_of(
        edges,
        has_next=is_inside if window.backward else has_more,
        has_previous=has_more if window.backward else is_inside,
        total_count=count,
    )


def _position(cursor: tuple[object, ...] | None, order: port.InvoiceOrder) -> port.InvoicePosition | None:
    """Return what a cursor names: the value the list is ordered by, and the id. Raises BadUserInputError for another order's."""
    match cursor:
        case None:
            return None
        case (order.field, str() | None as value, str() as record_id) if _ID.fullmatch(record_id):
            if order.is_value(value):
                return port.InvoicePosition(value=value, id=record_id)
        case _:
            pass
    raise BadUserInputError("The cursor is not one of this list in this order.")


def _asks_for_count(info: Info) -> bool:
    return any(
        getattr(selection, "name", "") == "totalCount"
        for field in info.selected_fields
        for selection in _flattened(field.selections)
    )


def _flattened(selections: Sequence[object]) -> list[object]:
    """Return the fields selected, those in fragments too."""
    found: list[object] = []
    for selection in selections:
        is_fragment = type(selection).__name__ in {"FragmentSpread", "InlineFragment"}
        found += _flattened(getattr(selection, "selections", [])) if is_fragment else [selection]
    return found
