"""Filters, orders and mutation inputs, and how they become what the port takes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import assert_never

import strawberry

from subgraphs.erp.port import InvoiceQuery
from subgraphs.erp.records import InvoiceRecord, InvoiceStatus
from subgraphs.erp.types.enums import InvoiceOrderField
from subgraphs.kit.order import OrderDirection
from subgraphs.kit.system_error import BadUserInputError


@strawberry.input(description="Which invoices; every field that is given narrows.")
class InvoiceFilter:
    """Which invoices."""

    status: list[InvoiceStatus] | None = None
    customer_id: strawberry.ID | None = strawberry.field(default=None, description="A customer's global id.")
    customer_reference: str | None = strawberry.field(default=None, description="A customer's business key, CUST-0001.")
    contract_number: str | None = strawberry.field(default=None, description="A contract's number.")
    number: str | None = strawberry.field(default=None, description="A part of the invoice's number.")
    overdue: bool | None = strawberry.field(default=None, description="Past the due date with something left to pay.")
    issued_from: dt.date | None = None
    issued_until: dt.date | None = strawberry.field(default=None, description="The last day, inclusive.")


@strawberry.input(description="How invoices are ordered.")
class InvoiceOrder:
    """How invoices are ordered."""

    field: InvoiceOrderField = InvoiceOrderField.ISSUED_ON
    direction: OrderDirection = OrderDirection.DESC


@strawberry.input(description="Put a customer on credit hold, or release it.")
class SetCreditHoldInput:
    """Put a customer on credit hold, or release it."""

    customer_id: strawberry.ID = strawberry.field(description="The customer's global id.")
    on_hold: bool
    version: str = strawberry.field(description="`Customer.erpVersion` as it was read.")
    client_mutation_id: str | None = None


@strawberry.input(description="Record money received for an invoice.")
class RecordPaymentInput:
    """Record money received for an invoice."""

    invoice_id: strawberry.ID
    amount: Decimal = strawberry.field(description="In the invoice's currency; at most what is left to pay.")
    received_on: dt.date | None = strawberry.field(default=None, description="Default: today.")
    method: str | None = strawberry.field(
        default=None, description="Name of the ERP's payment method; default: its first."
    )
    reference: str | None = strawberry.field(
        default=None, description="The bank's or payer's reference; must be unique for the invoice."
    )
    version: str | None = strawberry.field(default=None, description="`Invoice.version` as it was read, to be checked.")
    client_mutation_id: str | None = None


@strawberry.input(description="What to take back of one invoice line.")
class CreditLineInput:
    """What to take back of one invoice line."""

    invoice_line_id: strawberry.ID
    amount: Decimal = strawberry.field(description="Net, in the invoice's currency; at most the line's amount.")


@strawberry.input(description="Take back an invoice or a part of it.")
class IssueCreditMemoInput:
    """Take back an invoice or a part of it."""

    invoice_id: strawberry.ID
    reason: str
    lines: list[CreditLineInput] | None = strawberry.field(default=None, description="Default: all lines in full.")
    issued_on: dt.date | None = strawberry.field(default=None, description="Default: today.")
    reference: str | None = strawberry.field(default=None, description="An external reference; must be unique.")
    version: str | None = strawberry.field(default=None, description="`Invoice.version` as it was read, to be checked.")
    client_mutation_id: str | None = None


@strawberry.input(description="Void an invoice that was posted by mistake.")
class VoidInvoiceInput:
    """Void an invoice."""

    invoice_id: strawberry.ID
    version: str = strawberry.field(description="`Invoice.version` as it was read.")
    client_mutation_id: str | None = None


_MAX_TEXT = 200


def to_query(filter_: InvoiceFilter | None, *, customer_ids: Sequence[str] | None = None) -> InvoiceQuery:
    """Return the port's query. Raises BadUserInputError for an empty or backward range."""
    if filter_ is None:
        return InvoiceQuery(customer_ids=None if customer_ids is None else tuple(customer_ids))
    start, end = filter_.issued_from, filter_.issued_until
    if start is not None and end is not None and start > end:
        raise BadUserInputError("`issuedFrom` is later than `issuedUntil`.")
    for name, text in (("number", filter_.number), ("contractNumber", filter_.contract_number)):
        if text is not None and not 0 < len(text) <= _MAX_TEXT:
            raise BadUserInputError(f"`{name}` has between 1 and {_MAX_TEXT} characters.")
    return InvoiceQuery(
        statuses=None if filter_.status is None else tuple(sorted(set(filter_.status), key=list(InvoiceStatus).index)),
        customer_ids=None if customer_ids is None else tuple(customer_ids),
        customer_reference=filter_.customer_reference,
        contract=filter_.contract_number,
        number=filter_.number,
        issued_from=start,
        issued_until=end,
        is_overdue=filter_.overdue,
    )


def ordered(invoices: Sequence[InvoiceRecord], order: InvoiceOrder | None) -> Sequence[InvoiceRecord]:
    """Return a whole list in order; what has no value comes last, the id decides between equals."""
    order = order or InvoiceOrder()
    is_descending = order.direction is OrderDirection.DESC

    def value(record: InvoiceRecord) -> str:
        match order.field:
            case InvoiceOrderField.NUMBER:
                return record.number or ""
            case InvoiceOrderField.ISSUED_ON:
                return record.issued_on.isoformat() if record.issued_on else ""
            case InvoiceOrderField.DUE_ON:
                return record.due_on.isoformat() if record.due_on else ""
            case _:
                assert_never(order.field)

    by_id = sorted(invoices, key=lambda record: int(record.id), reverse=is_descending)
    full = sorted((record for record in by_id if value(record)), key=value, reverse=is_descending)
    return [*full, *(record for record in by_id if not value(record))]


def related_query(filter_: InvoiceFilter | None) -> InvoiceQuery:
    """Return the query of a list below a customer or contract. Raises BadUserInputError for a customer's id."""
    if filter_ is not None and filter_.customer_id is not None:
        raise BadUserInputError("`customerId` filters the list of all invoices only.")
    return to_query(filter_)
