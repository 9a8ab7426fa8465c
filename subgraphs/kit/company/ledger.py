"""The general ledger: revenue recognised month by month, and a balanced journal entry for everything booked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from subgraphs.kit.company.calendar import add_months, month_code, month_end
from subgraphs.kit.company.catalogue import money
from subgraphs.kit.company.contracts import Catalogue
from subgraphs.kit.company.invoices import Receivables
from subgraphs.kit.company.model import (
    AccountingPeriod,
    Invoice,
    InvoiceLine,
    JournalEntry,
    JournalLine,
    RevenueEntry,
    RevenueStatus,
)

BANK, RECEIVABLE, TAX, DEFERRED, REVENUE, CREDITS = "1000", "1200", "2400", "2500", "4000", "4900"
_ZERO = Decimal("0.00")


def make_revenue(receivables: Receivables, catalogue: Catalogue, today: dt.date) -> tuple[RevenueEntry, ...]:
    """Return the revenue of every line of a posted invoice; a line's entries add up to its amount."""
    invoices = {invoice.number: invoice for invoice in receivables.invoices if invoice.posted_on is not None}
    return tuple(
        entry
        for line in receivables.invoice_lines
        if line.invoice in invoices
        for entry in _revenue(line, invoices[line.invoice], catalogue, today)
    )


def _revenue(line: InvoiceLine, invoice: Invoice, catalogue: Catalogue, today: dt.date) -> Iterator[RevenueEntry]:
    assert invoice.posted_on is not None
    if catalogue.products[line.sku].revenue_rule == "POINT_IN_TIME":
        shares = [(month_code(invoice.posted_on), invoice.posted_on, line.amount)]
    else:
        count = max(
            1, (line.period_end.year - line.period_start.year) * 12 + line.period_end.month - line.period_start.month
        )
        if line.period_start.day == 1:
            count = (
                (line.period_end.year - line.period_start.year) * 12
                + line.period_end.month
                - line.period_start.month
                + 1
            )
        share = money(line.amount / count)
        months = [add_months(line.period_start.replace(day=1), index) for index in range(count)]
        amounts = [share] * (count - 1) + [line.amount - share * (count - 1)]
        shares = [(month_code(m), month_end(m), amount) for m, amount in zip(months, amounts, strict=True)]
    for period, ends_on, amount in shares:
        is_recognized = ends_on <= today
        yield RevenueEntry(
            reference=f"REV-{line.reference}-{period}",
            invoice_line=line.reference,
            invoice=invoice.number,
            contract=invoice.contract,
            period=period,
            amount=amount,
            currency=invoice.currency,
            status=RevenueStatus.RECOGNIZED if is_recognized else RevenueStatus.SCHEDULED,
            recognized_on=ends_on if is_recognized else None,
            journal_entry=f"JE-REV-{invoice.contract}-{period}" if is_recognized else None,
        )


def make_journal(receivables: Receivables, revenue: Sequence[RevenueEntry]) -> tuple[JournalEntry, ...]:
    """Return the entries ordered by day; one per invoice, payment, credit memo, and contract's month of revenue."""
    entries = [*_invoice_entries(receivables), *_payment_entries(receivables), *_revenue_entries(revenue)]
    entries.sort(key=lambda entry: (entry.posted_on, entry.number))
    return tuple(entries)


def _invoice_entries(receivables: Receivables) -> Iterator[JournalEntry]:
    for invoice in receivables.invoices:
        if invoice.journal_entry is not None and invoice.posted_on is not None:
            postings = {RECEIVABLE: invoice.total, TAX: -invoice.tax, DEFERRED: -invoice.net}
            yield _entry(
                invoice.journal_entry, invoice.posted_on, f"Invoice {invoice.number}", invoice.currency, postings
            )
    for memo in receivables.credit_memos:
        postings = {CREDITS: memo.net, TAX: memo.tax, RECEIVABLE: -memo.total}
        yield _entry(memo.journal_entry, memo.issued_on, f"Credit memo {memo.reference}", memo.currency, postings)


def _payment_entries(receivables: Receivables) -> Iterator[JournalEntry]:
    for payment in receivables.payments:
        if payment.journal_entry is not None:
            postings = {BANK: payment.amount, RECEIVABLE: -payment.amount}
            yield _entry(
                payment.journal_entry, payment.received_on, f"Payment {payment.reference}", payment.currency, postings
            )


def _revenue_entries(revenue: Sequence[RevenueEntry]) -> Iterator[JournalEntry]:
    booked: dict[str, list[RevenueEntry]] = {}
    for entry in revenue:
        if entry.journal_entry is not None:
            booked.setdefault(entry.journal_entry, []).append(entry)
    for number, parts in booked.items():
        first = parts[0]
        amount = sum((part.amount for part in parts), _ZERO)
        days = [part.recognized_on for part in parts if part.recognized_on is not None]
        postings = {DEFERRED: amount, REVENUE: -amount}
        yield _entry(number, max(days), f"Revenue of {first.contract}, {first.period}", first.currency, postings)


def _entry(
    number: str, posted_on: dt.date, description: str, currency: str, postings: Mapping[str, Decimal]
) -> JournalEntry:
    """Return an entry of account → amount; debits are positive, nothing is posted for zero."""
    return JournalEntry(
        number=number,
        posted_on=posted_on,
        period=month_code(posted_on),
        description=description,
        currency=currency,
        lines=tuple(
            JournalLine(account=account, debit=max(amount, _ZERO), credit=max(-amount, _ZERO))
            for account, amount in postings.items()
            if amount
        ),
    )


def make_periods(
    revenue: Sequence[RevenueEntry], journal: Sequence[JournalEntry], today: dt.date
) -> tuple[AccountingPeriod, ...]:
    """Return every month from the first booking to the last scheduled revenue; months before the last one are closed."""
    codes = {entry.period for entry in revenue} | {entry.period for entry in journal} | {month_code(today)}
    month = dt.date.fromisoformat(f"{min(codes)}-01")
    last_closed = add_months(today.replace(day=1), -1 if today.day > 10 else -2)
    periods = []
    while month_code(month) <= max(codes):
        periods.append(
            AccountingPeriod(
                code=month_code(month), starts_on=month, ends_on=month_end(month), is_closed=month <= last_closed
            )
        )
        month = add_months(month, 1)
    return tuple(periods)
