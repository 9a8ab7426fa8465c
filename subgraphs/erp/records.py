"""What the ERP knows, in no vendor's terms. Amounts are exact decimals, dates are dates, instants are aware and in UTC."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class InvoiceStatus(StrEnum):
    """State of an invoice or credit memo."""

    DRAFT = "DRAFT"
    POSTED = "POSTED"
    PAID = "PAID"
    VOIDED = "VOIDED"
    UNKNOWN = "UNKNOWN"
    """A state of the ERP's that we have no word for."""


class RevenueStatus(StrEnum):
    """Whether a month's revenue is in the books."""

    RECOGNIZED = "RECOGNIZED"
    SCHEDULED = "SCHEDULED"


class PeriodStatus(StrEnum):
    """Whether an accounting period takes entries."""

    OPEN = "OPEN"
    CLOSED = "CLOSED"
    LOCKED = "LOCKED"
    UNKNOWN = "UNKNOWN"
    """A state of the ERP's that we have no word for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerRecord:
    """A party."""

    id: str
    reference: str | None
    """The business key, `CUST-0001`."""
    legal_name: str | None
    tax_ids: tuple[str, ...]
    credit_limit: Decimal | None
    books_currency: str
    """The books' own currency, which the limit is in."""
    credit_hold: bool
    website: str | None
    email: str | None
    street: str | None
    city: str | None
    country: str | None
    parent_id: str | None
    """The customer that it belongs to; empty: to none. None: the ERP keeps no hierarchy."""
    version: str
    modified_at: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceRecord:
    """A customer invoice; or, with a negative total, the document behind a credit memo."""

    id: str
    number: str | None
    status: InvoiceStatus
    currency: str
    net: Decimal
    tax: Decimal
    total: Decimal
    balance: Decimal
    """What is left to pay, after payments and applied credit memos."""
    issued_on: dt.date | None
    due_on: dt.date | None
    posted_at: dt.datetime | None
    settled_on: dt.date | None
    customer_id: str
    contract: str | None
    description: str | None
    journal_entry_id: str | None
    payment_ids: tuple[str, ...]
    """Its payment lines: money received, and credit memos applied."""
    credits: tuple[str, ...]
    """Ids of the invoices that its lines take back; empty unless it is a credit memo."""
    applied_to: str | None
    """For a credit memo: the invoice it reduces."""
    version: str
    modified_at: dt.datetime

    @property
    def is_credit_memo(self) -> bool:
        """Whether it takes money back."""
        return self.total < 0

    def is_overdue(self, today: dt.date) -> bool:
        """Whether something is left to pay after the due date."""
        is_open = self.status is InvoiceStatus.POSTED and self.balance > 0
        return is_open and self.due_on is not None and self.due_on < today


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeRecord:
    """What sums of billed and recognised amounts need of an invoice line."""

    id: str
    amount: Decimal
    currency: str
    service_from: dt.date | None
    invoice_issued_on: dt.date | None
    invoice_journal_entry_id: str | None
    contract: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceLineRecord(ChargeRecord):
    """One line of an invoice or credit memo."""

    invoice_id: str
    description: str | None
    quantity: Decimal
    unit: str | None
    unit_price: Decimal
    sku: str | None
    revenue_rule: str | None
    billed_line: str | None
    """Reference of the billing platform's line that it carries."""
    tax_names: tuple[str, ...]
    service_until: dt.date | None
    invoice_status: InvoiceStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRecord:
    """Money received for an invoice."""

    id: str
    invoice_id: str
    amount: Decimal
    currency: str
    received_on: dt.date
    reference: str | None
    method: str | None
    journal_entry_id: str
    modified_at: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RevenueEntryRecord:
    """One month's revenue of an invoice line."""

    id: str
    """`12:2026-03`: the deferral's id and the month; `line:7`: recognised when the invoice was posted."""
    line_id: str
    month: str
    """`2026-03`."""
    status: RevenueStatus
    amount: Decimal
    """In the invoice's currency, at the rate of the invoice."""
    currency: str
    booked_amount: Decimal | None
    """In the books' own currency; None when it was recognised with the invoice, whose journal entry has it."""
    booked_currency: str | None
    recognized_on: dt.date
    """The day it is, or will be, in the books."""
    journal_entry_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeferralRecord:
    """An invoice line's revenue spread over its service period."""

    id: str
    line_id: str
    contract: str | None
    invoice: str | None
    """The invoice's number."""
    customer_id: str
    starts_on: dt.date
    ends_on: dt.date
    is_running: bool
    entries: tuple[RevenueEntryRecord, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalLineRecord:
    """One posting of an entry."""

    entry_id: str
    account: str
    account_name: str
    debit: Decimal
    credit: Decimal
    foreign_amount: Decimal | None
    foreign_currency: str | None
    description: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntryRecord:
    """An entry of the general ledger, in the books' own currency."""

    id: str
    number: str | None
    date: dt.date
    posted_on: dt.date | None
    is_posted: bool
    journal: str
    description: str | None
    currency: str
    period_id: str
    period: str
    invoice_id: str | None
    """The invoice it was posted for: its own entry, a payment of it, or its cancellation."""
    deferral_id: str | None
    """The deferral it belongs to, if it moves deferred revenue."""
    version: str
    modified_at: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodRecord:
    """A month of the books."""

    id: str
    code: str
    fiscal_year: str
    starts_on: dt.date
    ends_on: dt.date
    status: PeriodStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductRecord:
    """What the ERP knows of a product."""

    id: str
    sku: str
    revenue_rule: str | None
    tax_code: str | None
    name: str | None
    list_price: Decimal | None
    """Of one unit, before tax, in `books_currency`."""
    books_currency: str
