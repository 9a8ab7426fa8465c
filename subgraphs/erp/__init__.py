"""The ERP's part of the graph: invoices, payments, credit, revenue and the ledger, owned by Tryton."""
