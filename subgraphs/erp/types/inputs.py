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
from subgraphs.kit.instance_ids import id_order
from subgraphs.kit.order import OrderDirection
from subgraphs.kit.system_error import BadUserInputError


@strawberry.input(description="Invoices that meet all stated conditions.")
class InvoiceFilter:
    """Which invoices."""

    status: list[InvoiceStatus] | None = strawberry.field(
        default=None, description="In any of these states; an empty list finds none."
    )
    customer_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="Of the customer with this global id; refused below a customer or contract, which has chosen already.",
    )
    customer_reference: str | None = strawberry.field(
        default=None, description="Of the customer with this business key, such as `CUST-0001`."
    )
    contract_number: str | None = strawberry.field(
        default=None, description="For the contract with this number, such as `CON-2025-0001`."
    )
    number: str | None = strawberry.field(
        default=None, description="A part of the invoice's number; 1 to 200 characters."
    )
    overdue: bool | None = strawberry.field(
        default=None, description="True: posted, past the due date, and something left to pay; false: all others."
    )
    issued_from: dt.date | None = strawberry.field(
        default=None, description="Dated on this day or later; refused if it lies after `issuedUntil`."
    )
    issued_until: dt.date | None = strawberry.field(default=None, description="Dated on this day or earlier.")


@strawberry.input(description="How invoices are ordered; those without the value last.")
class InvoiceOrder:
    """How invoices are ordered."""

    field: InvoiceOrderField = strawberry.field(
        default=InvoiceOrderField.ISSUED_ON,
        description="Which value decides the order; the date of the invoice unless told.",
    )
    direction: OrderDirection = strawberry.field(
        default=OrderDirection.DESC, description="Descending, the newest first, unless told."
    )


@strawberry.input(description="A customer to put on credit hold, or to release.")
class SetCreditHoldInput:
    """Put a customer on credit hold, or release it."""

    customer_id: strawberry.ID = strawberry.field(
        description="Global id of the customer; one that the ERP has no record of is refused with NOT_FOUND."
    )
    on_hold: bool = strawberry.field(
        description="True: let nothing more be sold on credit; false: release the customer."
    )
    version: str = strawberry.field(
        description="`Customer.erpVersion` as it was read; a stale one is refused with CONFLICT."
    )
    client_mutation_id: str | None = None


@strawberry.input(description="Money received for an invoice.")
class RecordPaymentInput:
    """Record money received for an invoice."""

    invoice_id: strawberry.ID = strawberry.field(
        description="Global id of the invoice; one that is not POSTED is refused with CONFLICT."
    )
    amount: Decimal = strawberry.field(
        description="In the invoice's currency, above 0 with at most the decimals of that currency, two of EUR; more than is left to pay is refused."
    )
    received_on: dt.date | None = strawberry.field(
        default=None, description="Day on which the money came in, today by default; a day in the future is refused."
    )
    method: str | None = strawberry.field(
        default=None,
        description="Name of one of the ERP's payment methods; its first by default, an unknown one is refused.",
    )
    reference: str | None = strawberry.field(
        default=None,
        description="The bank's or payer's reference, 1 to 200 characters without [ ] and %; one that the invoice has a payment with is refused with CONFLICT.",
    )
    version: str | None = strawberry.field(
        default=None,
        description="`Invoice.version` as it was read; a stale one is refused with CONFLICT, left out it is not checked.",
    )
    client_mutation_id: str | None = None


@strawberry.input(description="How much to take back of one invoice line.")
class CreditLineInput:
    """What to take back of one invoice line."""

    invoice_line_id: strawberry.ID = strawberry.field(
        description="Global id of a line of the invoice; each may be named once."
    )
    amount: Decimal = strawberry.field(
        description="Without tax, in the invoice's currency, above 0 with at most the decimals of that currency, two of EUR; at most the line's amount."
    )


@strawberry.input(description="An invoice to take back, whole or in part.")
class IssueCreditMemoInput:
    """Take back an invoice or a part of it."""

    invoice_id: strawberry.ID = strawberry.field(
        description="Global id of the invoice; one that is neither POSTED nor PAID is refused with CONFLICT."
    )
    reason: str = strawberry.field(
        description="Why, in 1 to 200 characters without [ ] and %; it stands on the document."
    )
    lines: list[CreditLineInput] | None = strawberry.field(
        default=None,
        description="What to take back of which lines; by default all lines in full, an empty list is refused.",
    )
    issued_on: dt.date | None = strawberry.field(default=None, description="Date of the document; today by default.")
    reference: str | None = strawberry.field(
        default=None,
        description="An external reference, 1 to 200 characters without [ ] and %; one that another credit memo has is refused with CONFLICT.",
    )
    version: str | None = strawberry.field(
        default=None,
        description="`Invoice.version` as it was read; a stale one is refused with CONFLICT, left out it is not checked.",
    )
    client_mutation_id: str | None = None


@strawberry.input(description="An invoice that was posted by mistake.")
class VoidInvoiceInput:
    """Void an invoice."""

    invoice_id: strawberry.ID = strawberry.field(
        description="Global id of the invoice; one that is neither DRAFT nor POSTED is refused with CONFLICT."
    )
    version: str = strawberry.field(
        description="`Invoice.version` as it was read; a stale one is refused with CONFLICT."
    )
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

    by_id = sorted(invoices, key=lambda record: id_order(record.id), reverse=is_descending)
    full = sorted((record for record in by_id if value(record)), key=value, reverse=is_descending)
    return [*full, *(record for record in by_id if not value(record))]


def related_query(filter_: InvoiceFilter | None) -> InvoiceQuery:
    """Return the query of a list below a customer or contract. Raises BadUserInputError for a customer's id."""
    if filter_ is not None and filter_.customer_id is not None:
        raise BadUserInputError("`customerId` filters the list of all invoices only.")
    return to_query(filter_)
