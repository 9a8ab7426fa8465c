"""Names every link that is missing between a billed line and the ledger, with a sentence for a person."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from subgraphs.erp.records import (
    DeferralRecord,
    InvoiceLineRecord,
    InvoiceRecord,
    InvoiceStatus,
    JournalEntryRecord,
)
from subgraphs.erp.revenue import RATABLE, missing_months
from subgraphs.kit.lineage_gap import LineageGap


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """What the ERP has of one billed line."""

    line: InvoiceLineRecord | None
    invoice: InvoiceRecord | None
    deferral: DeferralRecord | None
    journal_entry: JournalEntryRecord | None
    """The invoice's."""


def find_gaps(ref: str, trail: Trail, today: dt.date) -> Sequence[LineageGap]:
    """Return the gaps in the order of the chain; none when the line is invoiced, posted, paid, scheduled and journaled."""
    line, invoice = trail.line, trail.invoice
    if line is None or invoice is None:
        return (_gap("NOT_INVOICED", f"No invoice line of the ERP carries the billed line {ref}."),)
    name = f"invoice {invoice.number}" if invoice.number else "an invoice without a number"
    if invoice.status is InvoiceStatus.VOIDED:
        return (_gap("NOT_INVOICED", f"The billed line {ref} was on {name}, which has been voided."),)
    if invoice.status is InvoiceStatus.DRAFT:
        return (_gap("NOT_POSTED", f"The billed line {ref} is on {name}, which has not been posted."),)
    gaps: list[LineageGap] = []
    if invoice.balance > 0:
        due = f", due on {invoice.due_on.isoformat()}" if invoice.due_on else ""
        gaps.append(_gap("UNPAID", f"{invoice.balance} {invoice.currency} of {name}{due}, are not paid."))
    is_ratable = line.revenue_rule == RATABLE
    if is_ratable and trail.deferral is None:
        gaps.append(
            _gap(
                "NO_REVENUE_SCHEDULE",
                f"The product {line.sku} is recognised over time, but {name} has no schedule for it.",
            )
        )
    if trail.deferral is not None and (months := missing_months(trail.deferral, today)):
        span = months[0] if len(months) == 1 else f"{months[0]} to {months[-1]}"
        gaps.append(_gap("NOT_RECOGNISED", f"The revenue of {span} on {name} has not been recognised."))
    if trail.journal_entry is None or not trail.journal_entry.is_posted:
        gaps.append(_gap("NOT_JOURNALED", f"The journal has no posted entry for {name}."))
    return gaps


def _gap(code: str, message: str) -> LineageGap:
    return LineageGap(code=code, system="erp", message=message)
