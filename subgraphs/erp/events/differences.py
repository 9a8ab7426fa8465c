"""Decides, as data, which lifecycle events a difference between what was seen and what is there means."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from subgraphs.erp.events.seen import SeenInvoice
from subgraphs.erp.records import (
    CustomerRecord,
    DeferralRecord,
    InvoiceRecord,
    InvoiceStatus,
    JournalEntryRecord,
    PaymentRecord,
)
from subgraphs.erp.revenue import totals
from subgraphs.kit.canonical_event import CanonicalEvent, FieldChange
from subgraphs.kit.global_id import encode_global_id

Customers = Mapping[str, str]
"""Our customer id → global customer id."""

_IN_BOOKS = {InvoiceStatus.POSTED, InvoiceStatus.PAID}


def credit_hold_changed(before: bool, record: CustomerRecord, customers: Customers) -> CanonicalEvent | None:
    """Return the event of a customer put on hold or released; its subject is the canonical customer."""
    customer = customers.get(record.id)
    if customer is None or before is record.credit_hold:
        return None
    return CanonicalEvent(
        source="erp",
        type="customer.credit_hold_changed",
        subject=customer,
        identity=("party", record.id, record.version),
        time=record.modified_at,
        keys={"customer": customer},
        version=record.version,
        changes=(FieldChange("creditHold", _text(before), _text(record.credit_hold)),),
    )


def _text(value: bool) -> str:
    return "true" if value else "false"


def invoice_events(
    before: SeenInvoice | None,
    record: InvoiceRecord,
    payments: Sequence[PaymentRecord],
    customers: Customers,
    credited: Mapping[str, str],
) -> Iterator[CanonicalEvent]:
    """Yield what happened to an invoice or credit memo, in the order it happened.

    `payments`: those of the invoice. `credited`: invoice id → number, for what credit memos take back.
    """
    old = before.status if before else InvoiceStatus.DRAFT
    if record.is_credit_memo:
        if record.status in _IN_BOOKS and old is InvoiceStatus.DRAFT:
            number = next((credited[i] for i in record.credits if i in credited), None)
            keys = _keys(record.customer_id, record.contract, number, customers)
            yield _event("credit_memo.issued", "CreditMemo", record, keys, old, record.posted_at)
        # Money that settles a credit memo goes to the customer.
        for payment in _new_payments(before, record, payments):
            number = next((credited[i] for i in record.credits if i in credited), None)
            yield _payment(
                "payment.refunded",
                payment,
                -payment.amount,
                _keys(record.customer_id, record.contract, number, customers),
            )
        return
    keys = _keys(record.customer_id, record.contract, record.number, customers)
    if record.status in _IN_BOOKS and old is InvoiceStatus.DRAFT:
        yield _event("invoice.posted", "Invoice", record, keys, old, record.posted_at)
    for payment in _new_payments(before, record, payments):
        yield _payment("payment.received", payment, payment.amount, keys)
    if record.status is InvoiceStatus.PAID and old is not InvoiceStatus.PAID:
        yield _event("invoice.paid", "Invoice", record, keys, old, None)
    # A draft that is thrown away before it has a number was never an invoice to anybody.
    if record.status is InvoiceStatus.VOIDED and old is not InvoiceStatus.VOIDED and record.number:
        yield _event("invoice.voided", "Invoice", record, keys, old, None)


def _event(
    type_: str,
    subject: str,
    record: InvoiceRecord,
    keys: Mapping[str, str],
    old: InvoiceStatus,
    at: dt.datetime | None,
) -> CanonicalEvent:
    return CanonicalEvent(
        source="erp",
        type=type_,
        subject=encode_global_id(subject, record.id),
        identity=("invoice", record.id, record.version),
        time=at or record.modified_at,
        keys=keys,
        version=record.version,
        changes=(FieldChange("status", old.value, record.status.value),),
    )


def _new_payments(
    before: SeenInvoice | None, record: InvoiceRecord, payments: Sequence[PaymentRecord]
) -> list[PaymentRecord]:
    known = before.payment_ids if before else frozenset()
    return [payment for payment in payments if payment.id in record.payment_ids and payment.id not in known]


def _payment(type_: str, payment: PaymentRecord, amount: Decimal, keys: Mapping[str, str]) -> CanonicalEvent:
    return CanonicalEvent(
        source="erp",
        type=type_,
        subject=encode_global_id("Payment", payment.id),
        identity=("payment", payment.id),
        time=_start_of(payment.received_on),
        keys=keys,
        changes=(FieldChange("amount", None, f"{amount} {payment.currency}"),),
    )


def time_came(type_: str, seen: SeenInvoice, on: dt.date, customers: Customers) -> CanonicalEvent:
    """Return `invoice.overdue` or `invoice.due_soon` of an invoice, told once per due date."""
    due = seen.due_on.isoformat() if seen.due_on else ""
    return CanonicalEvent(
        source="erp",
        type=type_,
        subject=encode_global_id("Invoice", seen.id),
        identity=("invoice", seen.id, due),
        time=_start_of(on),
        keys=_keys(seen.customer_id, seen.contract, seen.number, customers),
        version=seen.version,
        changes=(FieldChange("overdue", "false", "true"),) if type_ == "invoice.overdue" else (),
    )


def journal_posted(entry: JournalEntryRecord, keys: Mapping[str, str]) -> CanonicalEvent:
    """Return the event of an entry in the ledger."""
    return CanonicalEvent(
        source="erp",
        type="journal.posted",
        subject=encode_global_id("JournalEntry", entry.id),
        identity=("move", entry.id),
        time=entry.modified_at,
        keys=keys,
        version=entry.version,
    )


def schedule_created(
    deferral: DeferralRecord, opening: JournalEntryRecord, customers: Customers
) -> CanonicalEvent | None:
    """Return the event of revenue that `opening` deferred over its term; None without a contract, which it is about."""
    if deferral.contract is None:
        return None
    amount = totals((entry.amount, entry.currency) for entry in deferral.entries)
    return CanonicalEvent(
        source="erp",
        type="revenue.schedule_created",
        subject=encode_global_id("Contract", deferral.contract),
        identity=("deferral", deferral.id),
        time=opening.modified_at,
        keys=_keys(deferral.customer_id, deferral.contract, deferral.invoice, customers),
        changes=(
            FieldChange("amount", None, " ".join(f"{money.amount} {money.currency}" for money in amount)),
            FieldChange("startsOn", None, deferral.starts_on.isoformat()),
            FieldChange("endsOn", None, deferral.ends_on.isoformat()),
        ),
    )


def revenue_recognized(
    deferral: DeferralRecord, month: str, on: dt.date, customers: Customers
) -> CanonicalEvent | None:
    """Return the event of a month's revenue; None when the deferral has no such month any more."""
    entry = next((entry for entry in deferral.entries if entry.month == month), None)
    if entry is None:
        return None
    return CanonicalEvent(
        source="erp",
        type="revenue.recognized",
        subject=encode_global_id("RevenueEntry", entry.id),
        identity=("deferral", deferral.id, month, entry.journal_entry_id or ""),
        time=_start_of(on),
        keys=_keys(deferral.customer_id, deferral.contract, deferral.invoice, customers),
        changes=(
            FieldChange("status", "SCHEDULED", "RECOGNIZED"),
            FieldChange("amount", None, f"{entry.amount} {entry.currency}"),
        ),
    )


def invoice_keys(record: InvoiceRecord | DeferralRecord, customers: Customers) -> Mapping[str, str]:
    """Return the related entities of whatever belongs to an invoice."""
    number = record.number if isinstance(record, InvoiceRecord) else record.invoice
    return _keys(record.customer_id, record.contract, number, customers)


def _keys(customer_id: str, contract: str | None, invoice: str | None, customers: Customers) -> Mapping[str, str]:
    found = {"customer": customers.get(customer_id), "contract": contract, "invoice": invoice}
    return {name: value for name, value in found.items() if value}


def _start_of(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), dt.UTC)


def overdue_amount(documents: Sequence[InvoiceRecord], today: dt.date) -> str:
    """Return how much of a customer's open invoices is overdue, for the directory to order by: at face value, without currency."""
    return str(sum((record.balance for record in documents if record.is_overdue(today)), Decimal("0.00")))
