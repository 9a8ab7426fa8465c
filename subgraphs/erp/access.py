"""Who may see and do what in the ERP."""

from __future__ import annotations

from subgraphs.kit.consumers import Consumers
from subgraphs.kit.guard import Access, scopes

ACCESS: Access = {
    "Query.erpSystems": scopes("operations:read"),
    "Invoice": scopes("invoices:read"),
    "InvoiceLine": scopes("invoices:read"),
    "CreditMemo": scopes("invoices:read"),
    "Payment": scopes("invoices:read"),
    "RevenueEntry": scopes("revenue:read"),
    "JournalEntry": scopes("revenue:read"),
    "AccountingPeriod": scopes("revenue:read"),
    "Customer.creditLimit": scopes("credit:read"),
    "Customer.openBalance": scopes("credit:read"),
    "Customer.openBalances": scopes("credit:read"),
    "Customer.overdueBalance": scopes("credit:read"),
    "Contract.billedToDate": scopes("revenue:read"),
    "Contract.recognizedToDate": scopes("revenue:read"),
    "Contract.deferredBalance": scopes("revenue:read"),
    "Mutation.setCreditHold": scopes("credit:write"),
    "Mutation.recordPayment": scopes("invoices:write"),
    "Mutation.issueCreditMemo": scopes("invoices:write"),
    "Mutation.voidInvoice": scopes("invoices:write"),
}

CONSUMERS: Consumers = {
    "portal": (
        "Query.invoice Query.invoices Customer Contract Invoice InvoiceLine CreditMemo Payment BilledLine Product"
    ),
    "support": "Customer.creditHold",
    "analytics": (
        "Query.invoice Query.invoices Query.accountingPeriods Customer Contract Invoice InvoiceLine "
        "CreditMemo Payment BilledLine Product RevenueEntry JournalEntry AccountingPeriod"
    ),
}
"""Whose variants of the graph have what; see `contracts` of the gateway's configuration."""
