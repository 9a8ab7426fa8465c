"""The invoice list: what of a query Tryton can filter and order, and what is left to be done here.

A due date is not a searchable field of Tryton, and the amount to pay neither; `is_overdue` therefore reads the open
invoices, which are few, and picks among them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal

from subgraphs.erp.port import InvoiceOrder, InvoicePage, InvoicePosition, InvoiceQuery
from subgraphs.erp.records import InvoiceRecord, InvoiceStatus
from subgraphs.erp.vendors.tryton import Domain, Tryton, after
from subgraphs.erp.vendors.tryton_mapping import INVOICE, to_invoice
from subgraphs.erp.vendors.tryton_reads import MAX_ID, row_ids

IS_INVOICE: Domain = [["type", "=", "out"], ["total_amount", ">=", Decimal(0)]]
_STATES = {
    InvoiceStatus.DRAFT: ("draft", "validated"),
    InvoiceStatus.POSTED: ("posted",),
    InvoiceStatus.PAID: ("paid",),
    InvoiceStatus.VOIDED: ("cancelled",),
    # Which ones we have no word for can't be listed.
    InvoiceStatus.UNKNOWN: (),
}
_FIELDS = {"issued_on": "invoice_date", "number": "number"}


def to_domain(query: InvoiceQuery) -> Domain:
    """Return the part of the query that Tryton filters itself."""
    domain: Domain = list(IS_INVOICE)
    statuses = query.statuses
    if query.is_overdue:
        statuses = tuple(s for s in (statuses or tuple(InvoiceStatus)) if s is InvoiceStatus.POSTED)
    if statuses is not None:
        domain.append(["state", "in", [state for status in statuses for state in _STATES[status]]])
    if query.customer_ids is not None:
        domain.append(["party", "in", row_ids(query.customer_ids)])
    if query.customer_reference is not None:
        domain.append(["party.code", "=", query.customer_reference])
    if query.contract is not None:
        domain.append(["reference", "=", query.contract])
    if query.number is not None:
        domain.append(["number", "ilike", f"%{_escaped(query.number)}%"])
    if query.issued_from is not None:
        domain.append(["invoice_date", ">=", query.issued_from])
    if query.issued_until is not None:
        domain.append(["invoice_date", "<=", query.issued_until])
    return domain


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def keeper(query: InvoiceQuery, today: dt.date) -> Callable[[InvoiceRecord], bool]:
    """Return the test for the part of the query that Tryton can't filter."""
    if query.is_overdue is None:
        return lambda _invoice: True
    return lambda invoice: invoice.is_overdue(today) is query.is_overdue


async def list_invoices(
    tryton: Tryton,
    query: InvoiceQuery,
    order: InvoiceOrder,
    *,
    size: int,
    start: InvoicePosition | None,
    today: dt.date,
) -> InvoicePage:
    """Return up to `size` invoices behind `start`; asks for one more than that, and again while too few of a page fit."""
    keep = keeper(query, today)
    field, direction = _FIELDS[order.field], "DESC" if order.is_descending else "ASC"
    tryton_order = [[field, f"{direction} NULLS LAST"], ["id", direction]]
    found: list[InvoiceRecord] = []
    limit = size + 1 if query.is_overdue is None else 1000
    while len(found) <= size:
        domain = to_domain(query)
        if start is not None:
            is_date = order.field == "issued_on" and start.value is not None
            value = dt.date.fromisoformat(start.value or "") if is_date else start.value
            domain = [domain, after(field, value, _row_id(start, order), descending=order.is_descending)]
        rows = await tryton.search("account.invoice", domain, INVOICE, order=tryton_order, limit=limit)
        found += filter(keep, tryton.readable("account.invoice", rows, to_invoice))
        if len(rows) < limit:
            return InvoicePage(invoices=found[:size], has_more=len(found) > size)
        last = rows[-1][field]
        start = InvoicePosition(value=last if last is None else str(last), id=str(rows[-1]["id"]))
    return InvoicePage(invoices=found[:size], has_more=True)


def _row_id(position: InvoicePosition, order: InvoiceOrder) -> int:
    """Return the id that rows with the position's value are compared to; one beyond all where it has none."""
    if position.id is not None:
        return min(int(position.id), MAX_ID)
    return 0 if position.are_equals_behind is not order.is_descending else MAX_ID
