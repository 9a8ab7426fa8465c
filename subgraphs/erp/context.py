"""What resolvers reach: one request's loaders, so that a list of customers costs one vendor request per kind of record."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TypeAlias

import strawberry

from subgraphs.erp.links import AllCustomerLinks
from subgraphs.erp.port import InvoiceQuery, Orders, Readings, Related
from subgraphs.erp.records import (
    ChargeRecord,
    CustomerRecord,
    DeferralRecord,
    InvoiceLineRecord,
    InvoiceRecord,
    JournalEntryRecord,
    JournalLineRecord,
    PaymentRecord,
    PeriodRecord,
    ProductRecord,
)
from subgraphs.kit.idempotent_write import IdempotentWrites
from subgraphs.kit.record_loader import RecordLoader, RecordT, record_loader, relation_loader
from subgraphs.kit.system_of_record import SystemOfRecord


class ErpContext:
    """One request. Make it on the event loop."""

    def __init__(
        self,
        erp: Readings,
        *,
        orders: Orders,
        links: AllCustomerLinks,
        writes: IdempotentWrites,
        today: Callable[[], dt.date],
        changed: Callable[[], None],
        systems: Callable[[], list[SystemOfRecord]],
    ) -> None:
        """`orders` are what workflows write; `changed` tells the change feeds that a write was made; `systems` are the ERPs as the graph shows them."""
        self.erp = erp
        self.orders = orders
        self.links = links
        self.writes = writes
        self.today = today
        self.changed = changed
        self.systems = systems
        self._by_query: dict[tuple[str, InvoiceQuery], RecordLoader[Sequence[InvoiceRecord], tuple[()]]] = {}

    @cached_property
    def customers(self) -> RecordLoader[CustomerRecord, None]:
        """By id."""
        return record_loader(self.erp.customers)

    @cached_property
    def invoices(self) -> RecordLoader[InvoiceRecord, None]:
        """By id; credit memos too."""
        return record_loader(self.erp.invoices)

    @cached_property
    def invoices_by_number(self) -> RecordLoader[InvoiceRecord, None]:
        """By number."""
        return record_loader(self.erp.invoices_by_number)

    @cached_property
    def invoice_lines(self) -> RecordLoader[InvoiceLineRecord, None]:
        """By id."""
        return record_loader(self.erp.invoice_lines)

    @cached_property
    def payments(self) -> RecordLoader[PaymentRecord, None]:
        """By id."""
        return record_loader(self.erp.payments)

    @cached_property
    def deferrals(self) -> RecordLoader[DeferralRecord, None]:
        """By id."""
        return record_loader(self.erp.deferrals)

    @cached_property
    def journal_entries(self) -> RecordLoader[JournalEntryRecord, None]:
        """By id."""
        return record_loader(self.erp.journal_entries)

    @cached_property
    def lines_of_journal_entries(self) -> RecordLoader[Sequence[JournalLineRecord], tuple[()]]:
        """By journal entry."""
        return _related(self.erp.lines_of_journal_entries)

    @cached_property
    def periods(self) -> RecordLoader[PeriodRecord, None]:
        """By id."""
        return record_loader(self.erp.periods)

    @cached_property
    def products(self) -> RecordLoader[ProductRecord, None]:
        """By SKU."""
        return record_loader(self.erp.products)

    @cached_property
    def open_documents(self) -> RecordLoader[Sequence[InvoiceRecord], tuple[()]]:
        """By customer."""
        return _related(self.erp.open_documents_of_customers)

    @cached_property
    def lines_of_invoices(self) -> RecordLoader[Sequence[InvoiceLineRecord], tuple[()]]:
        """By invoice."""
        return _related(self.erp.lines_of_invoices)

    @cached_property
    def charges_of_contracts(self) -> RecordLoader[Sequence[ChargeRecord], tuple[()]]:
        """By contract number."""
        return _related(self.erp.charges_of_contracts)

    @cached_property
    def lines_of_billed_lines(self) -> RecordLoader[Sequence[InvoiceLineRecord], tuple[()]]:
        """By billed line reference."""
        return _related(self.erp.lines_of_billed_lines)

    @cached_property
    def payments_of_invoices(self) -> RecordLoader[Sequence[PaymentRecord], tuple[()]]:
        """By invoice."""
        return _related(self.erp.payments_of_invoices)

    @cached_property
    def credit_memos_of_invoices(self) -> RecordLoader[Sequence[InvoiceRecord], tuple[()]]:
        """By invoice."""
        return _related(self.erp.credit_memos_of_invoices)

    @cached_property
    def deferrals_of_lines(self) -> RecordLoader[Sequence[DeferralRecord], tuple[()]]:
        """By invoice line."""
        return _related(self.erp.deferrals_of_lines)

    def invoices_of_customers(self, query: InvoiceQuery) -> RecordLoader[Sequence[InvoiceRecord], tuple[()]]:
        """By customer; equal queries share a loader."""
        key = ("customer", query)
        if key not in self._by_query:
            self._by_query[key] = _related(self.erp.invoices_of_customers(query))
        return self._by_query[key]

    def invoices_of_contracts(self, query: InvoiceQuery) -> RecordLoader[Sequence[InvoiceRecord], tuple[()]]:
        """By contract number; equal queries share a loader."""
        key = ("contract", query)
        if key not in self._by_query:
            self._by_query[key] = _related(self.erp.invoices_of_contracts(query))
        return self._by_query[key]


def _related(related: Related[RecordT]) -> RecordLoader[Sequence[RecordT], tuple[()]]:
    return relation_loader(related.read, max_ids_per_call=related.capabilities.max_ids_per_call)


Info: TypeAlias = strawberry.Info[ErpContext, None]
