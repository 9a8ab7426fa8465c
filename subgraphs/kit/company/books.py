"""The facts of the ERP: what was invoiced, paid, credited, recognised and posted."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from subgraphs.kit.company.terms import InvoiceStatus, PaymentMethod, PaymentStatus, RevenueStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxRate:
    """A sales tax."""

    code: str
    """`DE-VAT-19`."""
    country: str
    percent: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """A document of the ERP."""

    number: str
    customer: str
    contract: str
    status: InvoiceStatus
    currency: str
    issued_on: dt.date
    due_on: dt.date
    posted_on: dt.date | None
    tax_code: str
    """A tax rate's code."""
    net: Decimal
    """Sum of the lines."""
    tax: Decimal
    total: Decimal
    """net plus tax."""
    paid: Decimal
    """Sum of its succeeded payments, never above the total."""
    credited: Decimal
    """Sum of its credit memos' totals."""
    balance: Decimal
    """total less paid and credited; 0 for DRAFT and VOIDED."""
    journal_entry: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceLine:
    """One line of an invoice."""

    reference: str
    """`INV-2025-00001-1`."""
    invoice: str
    billed_line: str
    sku: str
    description: str
    quantity: int
    unit_amount: Decimal
    amount: Decimal
    period_start: dt.date
    period_end: dt.date


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """Money received for an invoice."""

    reference: str
    """`PAY-2025-00001-1`: the invoice's digits, and which attempt."""
    invoice: str
    customer: str
    status: PaymentStatus
    method: PaymentMethod
    amount: Decimal
    currency: str
    received_on: dt.date
    journal_entry: str | None
    """None for failed payments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditMemo:
    """A reduction of an invoice."""

    reference: str
    """`CM-2025-00001`: the digits of the invoice it reduces."""
    invoice: str
    customer: str
    reason: str
    net: Decimal
    tax: Decimal
    total: Decimal
    currency: str
    issued_on: dt.date
    journal_entry: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RevenueEntry:
    """One month of an invoice line's revenue."""

    reference: str
    """`REV-INV-2025-00001-1-2025-03`."""
    invoice_line: str
    invoice: str
    contract: str
    period: str
    """An accounting period's code, `2025-03`."""
    amount: Decimal
    currency: str
    status: RevenueStatus
    recognized_on: dt.date | None
    journal_entry: str | None
    """The entry that moved it from deferred to revenue; None while scheduled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalLine:
    """One posting; exactly one of debit and credit is not zero."""

    account: str
    """`1000` bank, `1200` receivable, `2400` tax, `2500` deferred revenue, `4000` revenue, `4900` credits."""
    debit: Decimal
    credit: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """A balanced entry of the general ledger."""

    number: str
    """`JE-INV-2025-00001`, `JE-PAY-2025-00001-1`, `JE-CM-2025-00001`, `JE-REV-CON-2025-0001-2025-03`: named after what it books."""
    posted_on: dt.date
    period: str
    description: str
    currency: str
    lines: tuple[JournalLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountingPeriod:
    """One month of the books."""

    code: str
    """`2025-03`."""
    starts_on: dt.date
    ends_on: dt.date
    is_closed: bool
