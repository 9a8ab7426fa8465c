"""Who may see and do what in the ERP."""

from __future__ import annotations

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
