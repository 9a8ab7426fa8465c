"""The enumerations of the ERP's part of the graph."""

from __future__ import annotations

from enum import Enum

import strawberry

from subgraphs.erp.records import InvoiceStatus, PeriodStatus, RevenueStatus

__all__ = ["InvoiceOrderField", "InvoiceStatus", "PeriodStatus", "RevenueStatus"]

strawberry.enum(InvoiceStatus, description="State of an invoice or credit memo in the ERP.")
strawberry.enum(RevenueStatus, description="Whether revenue is in the books or still to come.")
strawberry.enum(PeriodStatus, description="Whether an accounting period takes entries.")


@strawberry.enum(description="What invoices can be ordered by.")
class InvoiceOrderField(Enum):
    """What invoices can be ordered by."""

    ISSUED_ON = "issued_on"
    NUMBER = "number"
    DUE_ON = "due_on"
