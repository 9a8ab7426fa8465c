"""The enumerations of the ERP's part of the graph."""

from __future__ import annotations

from enum import Enum

from subgraphs.erp.records import InvoiceStatus, PeriodStatus, RevenueStatus
from subgraphs.kit.described_enum import described_enum

__all__ = ["InvoiceOrderField", "InvoiceStatus", "PeriodStatus", "RevenueStatus"]

described_enum(
    "State of an invoice or credit memo in the ERP.",
    DRAFT="Not in the books: finance has not posted it, and amounts may change before it does.",
    POSTED="In the books and owed by the customer, paid in part or not at all.",
    PAID="In the books, and nothing is left to pay: paid, or made up for by credit.",
    VOIDED="Taken back as a mistake; nothing is owed.",
    UNKNOWN="In a state of the ERP's that the graph has no word for; `erpSystems` tells which.",
)(InvoiceStatus)
described_enum(
    "Whether revenue is in the books or still to come.",
    RECOGNIZED="Earned, and in the books by a journal entry.",
    SCHEDULED="Billed and deferred: it will be recognised when its month has been served.",
)(RevenueStatus)
described_enum(
    "Whether an accounting period takes entries.",
    OPEN="It takes entries.",
    CLOSED="It takes none, and accountants may open it again.",
    LOCKED="It takes none, for good.",
    UNKNOWN="In a state of the ERP's that the graph has no word for; `erpSystems` tells which.",
)(PeriodStatus)


@described_enum(
    "What invoices can be ordered by; those without the value come last.",
    ISSUED_ON="Date on the invoice.",
    NUMBER="Business key.",
    DUE_ON="Last day to pay. The list of all invoices takes it with a filter that leaves 1,000 at most.",
)
class InvoiceOrderField(Enum):
    """What invoices can be ordered by."""

    ISSUED_ON = "issued_on"
    NUMBER = "number"
    DUE_ON = "due_on"
