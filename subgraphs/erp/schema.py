"""The ERP subgraph's schema."""

from __future__ import annotations

from subgraphs.erp.access import ACCESS, CONSUMERS
from subgraphs.erp.mutation import Mutation
from subgraphs.erp.query import Query
from subgraphs.erp.types.billed_line import BilledLine
from subgraphs.erp.types.contract import Contract
from subgraphs.erp.types.customer import Customer
from subgraphs.erp.types.invoice import CreditMemo, Invoice, InvoiceLine, Payment
from subgraphs.erp.types.ledger import AccountingPeriod, JournalEntry, RevenueEntry
from subgraphs.erp.types.product import Product
from subgraphs.kit.subgraph_schema import subgraph_schema

schema = subgraph_schema(
    query=Query,
    mutation=Mutation,
    types=[
        Customer,
        Contract,
        Invoice,
        InvoiceLine,
        Payment,
        CreditMemo,
        RevenueEntry,
        JournalEntry,
        AccountingPeriod,
        BilledLine,
        Product,
    ],
    access=ACCESS,
    consumers=CONSUMERS,
)
