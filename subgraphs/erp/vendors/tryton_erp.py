"""Tryton behind the ERP port."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from subgraphs.erp.port import InvoiceOrder, InvoicePage, InvoicePosition, InvoiceQuery, UnreadableRow
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
from subgraphs.erp.vendors import tryton_mapping as mapping
from subgraphs.erp.vendors.tryton import Row, Tryton
from subgraphs.erp.vendors.tryton_books import BooksShelf
from subgraphs.erp.vendors.tryton_changes import changed
from subgraphs.erp.vendors.tryton_credits import TrytonCredits
from subgraphs.erp.vendors.tryton_deferral import DEFERRAL, to_deferral, with_moves
from subgraphs.erp.vendors.tryton_invoice_list import IS_INVOICE, keeper, list_invoices, to_domain
from subgraphs.erp.vendors.tryton_parties import TrytonParties
from subgraphs.erp.vendors.tryton_products import TrytonProducts
from subgraphs.erp.vendors.tryton_reads import TrytonRecords, TrytonRelated, ids_in, row_ids, texts_in

_OUT = ["type", "=", "out"]
_IN_BOOKS = ["invoice.state", "in", ["posted", "paid"]]
_NEWEST_FIRST = [["invoice_date", "DESC"], ["id", "DESC"]]
_BY_ID = [["id", "ASC"]]
_MOST_OVERDUE = 10_000


class TrytonErp(TrytonCredits, TrytonParties, TrytonProducts):
    """One company's Tryton. `today` gives the business day that overdue and recognised are judged by."""

    def __init__(self, tryton: Tryton, *, today: Callable[[], dt.date]) -> None:
        shelf = BooksShelf(tryton)
        super().__init__(tryton, shelf)
        self._today = today

        async def company_context() -> dict[str, Any]:
            return (await shelf.open()).context

        self._company_context = company_context

        def records(**parts: Any) -> TrytonRecords[Any]:
            return TrytonRecords(tryton=tryton, **parts)

        def related(**parts: Any) -> TrytonRelated[Any]:
            return TrytonRelated(tryton=tryton, **{"order": _BY_ID, **parts})

        invoice = {"model": "account.invoice", "fields": mapping.INVOICE, "parse": _one(mapping.to_invoice)}
        line = {"model": "account.invoice.line", "fields": mapping.INVOICE_LINE, "parse": _one(mapping.to_invoice_line)}
        deferral = {
            "model": "account.invoice.deferred",
            "fields": DEFERRAL,
            "parse": _one(self._to_deferral),
            "complete": partial(with_moves, tryton),
        }
        self.customers: TrytonRecords[CustomerRecord] = records(
            model="party.party",
            fields=mapping.CUSTOMER,
            parse=_one(self._to_customer),
            key=_id,
            domain=ids_in(),
            context=company_context,
        )
        self.invoices: TrytonRecords[InvoiceRecord] = records(**invoice, key=_id, domain=ids_in("id", _OUT))
        self.invoices_by_number: TrytonRecords[InvoiceRecord] = records(
            **invoice, key=lambda record: record.number or "", row_key="number", domain=texts_in("number", *IS_INVOICE)
        )
        self.invoice_lines: TrytonRecords[InvoiceLineRecord] = records(
            **line, key=_id, domain=ids_in("id", ["invoice.type", "=", "out"])
        )
        self.payments: TrytonRecords[PaymentRecord] = records(
            model="account.move.line", fields=mapping.PAYMENT_BY_ID, parse=_payment, key=_id, domain=ids_in()
        )
        self.deferrals: TrytonRecords[DeferralRecord] = records(**deferral, key=_id, domain=ids_in())
        self.journal_entries: TrytonRecords[JournalEntryRecord] = records(
            model="account.move",
            fields=mapping.JOURNAL_ENTRY,
            parse=_one(mapping.to_journal_entry),
            key=_id,
            domain=ids_in(),
        )
        self.lines_of_journal_entries: TrytonRelated[JournalLineRecord] = related(
            model="account.move.line",
            fields=mapping.JOURNAL_LINE,
            parse=_one(mapping.to_journal_line),
            owners=lambda record: (record.entry_id,),
            row_owner="move",
            domain=ids_in("move"),
        )
        self.periods: TrytonRecords[PeriodRecord] = records(
            model="account.period", fields=mapping.PERIOD, parse=_one(mapping.to_period), key=_id, domain=ids_in()
        )
        self.products: TrytonRecords[ProductRecord] = records(
            model="product.product",
            fields=mapping.PRODUCT,
            parse=_one(self._to_product),
            key=lambda record: record.sku,
            row_key="code",
            domain=texts_in("code"),
            context=company_context,
        )
        self.open_documents_of_customers: TrytonRelated[InvoiceRecord] = related(
            **invoice,
            owners=lambda record: (record.customer_id,),
            row_owner="party",
            domain=ids_in("party", _OUT, ["state", "=", "posted"]),
        )
        self.lines_of_invoices: TrytonRelated[InvoiceLineRecord] = related(
            **line,
            owners=lambda record: (record.invoice_id,),
            row_owner="invoice",
            domain=ids_in("invoice", ["type", "=", "line"]),
            order=[["sequence", "ASC NULLS LAST"], ["id", "ASC"]],
        )
        self.charges_of_contracts: TrytonRelated[ChargeRecord] = related(
            model="account.invoice.line",
            fields=mapping.CHARGE,
            parse=_one(mapping.to_charge),
            owners=lambda record: (record.contract,),
            row_owner="invoice.reference",
            domain=texts_in("invoice.reference", ["type", "=", "line"], ["invoice.type", "=", "out"], _IN_BOOKS),
        )
        self.lines_of_billed_lines: TrytonRelated[InvoiceLineRecord] = related(
            **line,
            owners=lambda record: (record.billed_line,),
            row_owner="note",
            domain=texts_in("note", ["invoice.type", "=", "out"]),
        )
        self.payments_of_invoices: TrytonRelated[PaymentRecord] = related(
            model="account.invoice",
            fields=mapping.PAYMENTS_OF_INVOICE,
            parse=_payments,
            owners=lambda record: (record.invoice_id,),
            row_owner="id",
            domain=ids_in(),
        )
        self.credit_memos_of_invoices: TrytonRelated[InvoiceRecord] = related(
            **invoice,
            owners=lambda record: record.credits,
            row_owner="origin_invoices",
            domain=ids_in("origin_invoices", _OUT),
            keep=lambda record: record.is_credit_memo,
        )
        self.deferrals_of_lines: TrytonRelated[DeferralRecord] = related(
            **deferral, owners=lambda record: (record.line_id,), row_owner="invoice_line", domain=ids_in("invoice_line")
        )

        def invoices_of(row_owner: str, owners: Callable[[InvoiceRecord], Sequence[str]], domain: Any) -> Any:
            def made(query: InvoiceQuery) -> TrytonRelated[InvoiceRecord]:
                return related(
                    **invoice,
                    owners=owners,
                    row_owner=row_owner,
                    domain=domain(query),
                    order=_NEWEST_FIRST,
                    keep=keeper(query, today()),
                )

            return made

        self.invoices_of_customers: Callable[[InvoiceQuery], TrytonRelated[InvoiceRecord]] = invoices_of(
            "party", lambda record: (record.customer_id,), lambda query: ids_in("party", *to_domain(query))
        )
        self.invoices_of_contracts: Callable[[InvoiceQuery], TrytonRelated[InvoiceRecord]] = invoices_of(
            "reference", lambda record: (record.contract or "",), lambda query: texts_in("reference", *to_domain(query))
        )

    def _to_customer(self, row: Row) -> CustomerRecord:
        return mapping.to_customer(row, currency=self._shelf.books.currency)

    def _to_product(self, row: Row) -> ProductRecord:
        return mapping.to_product(row, currency=self._shelf.books.currency)

    def _to_deferral(self, row: Row) -> DeferralRecord:
        return to_deferral(row, today=self._today())

    async def list_invoices(
        self, query: InvoiceQuery, order: InvoiceOrder, *, size: int, after: InvoicePosition | None
    ) -> InvoicePage:
        """Return up to `size` invoices behind `after`. Raises VendorError."""
        return await list_invoices(self._tryton, query, order, size=size, start=after, today=self._today())

    async def count_invoices(self, query: InvoiceQuery) -> int | None:
        """Return how many match. Overdue is no filter of Tryton's: those are read and counted; who is not, can't be."""
        if query.is_overdue:
            page = await self.list_invoices(query, InvoiceOrder(), size=_MOST_OVERDUE, after=None)
            return None if page.has_more else len(page.invoices)
        if query.is_overdue is not None:
            return None
        context = await self._company_context()
        count: int = await self._tryton.call(
            "model.account.invoice.search_count", to_domain(query), 0, None, context, is_write=False
        )
        return count

    async def list_periods(self) -> Sequence[PeriodRecord]:
        """Return all standard periods, the newest first."""
        domain = [["type", "=", "standard"]]
        rows = await self._tryton.search("account.period", domain, mapping.PERIOD, order=[["start_date", "DESC"]])
        return self._tryton.readable("account.period", rows, mapping.to_period)

    async def changed_customers(
        self, since: dt.datetime | None, *, unreadable: list[UnreadableRow] | None = None
    ) -> Sequence[CustomerRecord]:
        """Return the parties with a customer reference that changed."""
        books = await self._shelf.open()
        return await changed(
            self._tryton,
            "party.party",
            mapping.CUSTOMER,
            self._to_customer,
            since=since,
            domain=[["code", "!=", None], ["id", "!=", books.party]],
            context=books.context,
            unreadable=unreadable,
        )

    async def deleted_customers(self, ids: Sequence[str]) -> frozenset[str]:
        """Return which parties are there no more; one that is not active is still somebody's debtor."""
        size = self.customers.capabilities.max_ids_per_call
        left: set[str] = set()
        for start in range(0, len(ids), size):
            domain = [["id", "in", row_ids(ids[start : start + size])], ["active", "in", [True, False]]]
            left |= {str(row["id"]) for row in await self._tryton.search("party.party", domain, ("code",))}
        return frozenset(ids) - left

    async def changed_invoices(
        self, since: dt.datetime | None, *, unreadable: list[UnreadableRow] | None = None
    ) -> Sequence[InvoiceRecord]:
        """Return the customer invoices and credit memos that changed."""
        return await changed(
            self._tryton,
            "account.invoice",
            mapping.INVOICE,
            mapping.to_invoice,
            since=since,
            domain=[_OUT],
            unreadable=unreadable,
        )

    async def changed_journal_entries(
        self, since: dt.datetime, *, unreadable: list[UnreadableRow] | None = None
    ) -> Sequence[JournalEntryRecord]:
        """Return the moves that changed."""
        return await changed(
            self._tryton,
            "account.move",
            mapping.JOURNAL_ENTRY,
            mapping.to_journal_entry,
            since=since,
            domain=[],
            unreadable=unreadable,
        )

    async def last_journal_change(self) -> dt.datetime | None:
        """Return when a move changed last."""
        order = [["last_modified_at", "DESC"]]
        rows = await self._tryton.search("account.move", [], ("last_modified_at",), order=order, limit=1)
        return rows[0]["last_modified_at"] if rows else None


def _id(record: Any) -> str:
    return str(record.id)


def _one(parse: Callable[[Row], Any]) -> Callable[[Row], Sequence[Any]]:
    return lambda row: (parse(row),)


def _payment(row: Row) -> Sequence[PaymentRecord]:
    invoice_id = mapping.many_to_one(row["invoice_payment"])
    payment = mapping.to_payment(row, invoice_id) if invoice_id else None
    return () if payment is None else (payment,)


def _payments(row: Row) -> Sequence[PaymentRecord]:
    found = (mapping.to_payment(line, str(row["id"])) for line in row["payment_lines"])
    return sorted((payment for payment in found if payment is not None), key=lambda p: (p.received_on, int(p.id)))
