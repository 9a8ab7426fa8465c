"""What of a contract is billed, recognised and deferred, and where the chain from billed line to ledger is broken.

Revenue is net of tax. A line with a deferral is recognised month by month; any other with its invoice.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from decimal import Decimal

from subgraphs.erp.records import ChargeRecord, DeferralRecord, InvoiceLineRecord, RevenueEntryRecord, RevenueStatus
from subgraphs.kit.instance_ids import id_order
from subgraphs.kit.money import Money

RATABLE = "RATABLE_MONTHLY"


def schedule(line: ChargeRecord, deferral: DeferralRecord | None) -> Sequence[RevenueEntryRecord]:
    """Return a line's revenue by month; nothing until its invoice is in the books."""
    if deferral is not None:
        return deferral.entries
    if line.invoice_journal_entry_id is None or line.invoice_issued_on is None:
        return ()
    return (with_invoice(line, line.invoice_issued_on),)


def with_invoice(line: ChargeRecord, issued_on: dt.date) -> RevenueEntryRecord:
    """Return the one entry of a line whose revenue was recognised by the invoice itself."""
    return RevenueEntryRecord(
        id=f"line:{line.id}",
        line_id=line.id,
        month=f"{issued_on:%Y-%m}",
        status=RevenueStatus.RECOGNIZED,
        amount=line.amount,
        currency=line.currency,
        booked_amount=None,
        booked_currency=None,
        recognized_on=issued_on,
        journal_entry_id=line.invoice_journal_entry_id,
    )


def contract_schedule(
    lines: Iterable[ChargeRecord], deferrals: Iterable[DeferralRecord]
) -> Sequence[RevenueEntryRecord]:
    """Return the revenue of all lines, by month, then line."""
    by_line = {deferral.line_id: deferral for deferral in deferrals}
    entries = [entry for line in lines for entry in schedule(line, by_line.get(line.id))]
    return sorted(entries, key=lambda entry: (entry.month, id_order(entry.line_id)))


def total(amounts: Iterable[tuple[Decimal, str]]) -> Money | None:
    """Return the sum; None for no amounts, and for several currencies, which have no sum."""
    by_currency = totals(amounts)
    return by_currency[0] if len(by_currency) == 1 else None


def totals(amounts: Iterable[tuple[Decimal, str]]) -> Sequence[Money]:
    """Return one sum per currency, by its code."""
    sums: dict[str, Decimal] = {}
    for amount, currency in amounts:
        sums[currency] = sums.get(currency, Decimal(0)) + amount
    return tuple(Money.of(amount, currency) for currency, amount in sorted(sums.items()))


def missing_months(deferral: DeferralRecord, today: dt.date) -> Sequence[str]:
    """Return the months that have ended within the service period without their revenue in the books."""
    this_month = f"{today:%Y-%m}"
    return tuple(
        entry.month
        for entry in deferral.entries
        if entry.month < this_month and entry.status is not RevenueStatus.RECOGNIZED
    )


def choose_line(lines: Sequence[InvoiceLineRecord]) -> InvoiceLineRecord | None:
    """Return the line that carries a billed line: the last one that isn't voided, else the last one."""
    alive = [line for line in lines if line.invoice_status != "VOIDED"]
    return max(alive or lines, key=lambda line: id_order(line.id), default=None)
