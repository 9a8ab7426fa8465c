"""The ERP as a caller sees it whose claims confine it to some customers: what is of others is not there.

A document is its customer's; a line, a payment and a journal entry are their document's. The customers reach the ERP's own
list as its filter, so that pages and counts are those of what is left.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TypeVar

from subgraphs.erp.port import CreditLine, InvoiceOrder, InvoicePage, InvoicePosition, InvoiceQuery, Readings, Related
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
from subgraphs.kit.adaptor import Adaptor
from subgraphs.kit.confinement import Confined, Confinement, Readable
from subgraphs.kit.system_error import FieldError

RecordT = TypeVar("RecordT")
OfInvoiceT = TypeVar("OfInvoiceT", InvoiceLineRecord, PaymentRecord)


class ConfinedErp:
    """The port over an ERP, for the caller of the request being served."""

    def __init__(self, erp: Readings, confinement: Confinement) -> None:
        self._erp = erp
        self._confinement = confinement
        own, invoices = confinement.own, self._of_invoices
        self.customers: Adaptor[CustomerRecord] = Confined(erp.customers, own)
        self.invoices: Adaptor[InvoiceRecord] = Confined(erp.invoices, records=self._invoices)
        self.invoices_by_number: Adaptor[InvoiceRecord] = Confined(erp.invoices_by_number, records=self._invoices)
        self.invoice_lines: Adaptor[InvoiceLineRecord] = Confined(erp.invoice_lines, records=self._parts)
        self.payments: Adaptor[PaymentRecord] = Confined(erp.payments, records=self._parts)
        self.deferrals: Adaptor[DeferralRecord] = Confined(erp.deferrals, records=self._deferrals)
        self.journal_entries: Adaptor[JournalEntryRecord] = Confined(erp.journal_entries, records=self._entries)
        self.lines_of_journal_entries: Related[JournalLineRecord] = Confined(
            erp.lines_of_journal_entries, self._of_entries
        )
        self.periods: Adaptor[PeriodRecord] = erp.periods
        self.products: Adaptor[ProductRecord] = erp.products
        self.open_documents_of_customers: Related[InvoiceRecord] = Confined(erp.open_documents_of_customers, own)
        self.lines_of_invoices: Related[InvoiceLineRecord] = Confined(erp.lines_of_invoices, invoices)
        self.charges_of_contracts: Related[ChargeRecord] = Confined(erp.charges_of_contracts, self._of_contracts)
        self.lines_of_billed_lines: Related[InvoiceLineRecord] = Confined(
            erp.lines_of_billed_lines, records=self._lists_of_lines
        )
        self.payments_of_invoices: Related[PaymentRecord] = Confined(erp.payments_of_invoices, invoices)
        self.credit_memos_of_invoices: Related[InvoiceRecord] = Confined(erp.credit_memos_of_invoices, invoices)
        self.deferrals_of_lines: Related[DeferralRecord] = Confined(
            erp.deferrals_of_lines, records=self._lists_of_deferrals
        )

    def invoices_of_customers(self, query: InvoiceQuery) -> Related[InvoiceRecord]:
        """Of visible customers."""
        return Confined(self._erp.invoices_of_customers(query), self._confinement.own)

    def invoices_of_contracts(self, query: InvoiceQuery) -> Related[InvoiceRecord]:
        """Those of visible customers."""
        return Confined(self._erp.invoices_of_contracts(query), records=self._lists_of_invoices)

    async def list_invoices(
        self, query: InvoiceQuery, order: InvoiceOrder, *, size: int, after: InvoicePosition | None
    ) -> InvoicePage:
        """Of visible customers: the filter is the ERP's."""
        own = await self._narrowed(query)
        if own is None:
            return InvoicePage(invoices=(), has_more=False)
        return await self._erp.list_invoices(own, order, size=size, after=after)

    async def count_invoices(self, query: InvoiceQuery) -> int | None:
        """Of visible customers."""
        own = await self._narrowed(query)
        return 0 if own is None else await self._erp.count_invoices(own)

    async def _narrowed(self, query: InvoiceQuery) -> InvoiceQuery | None:
        """Return the query for what the caller may see; None where that is nothing."""
        visible = await self._confinement.visible()
        if visible is None:
            return query
        asked = visible if query.customer_ids is None else visible.intersection(query.customer_ids)
        return replace(query, customer_ids=tuple(sorted(asked))) if asked else None

    async def _invoices(self, found: Mapping[str, InvoiceRecord]) -> Mapping[str, InvoiceRecord]:
        return await self._confinement.keep(found, lambda invoice: invoice.customer_id)

    async def _deferrals(self, found: Mapping[str, DeferralRecord]) -> Mapping[str, DeferralRecord]:
        return await self._confinement.keep(found, lambda deferral: deferral.customer_id)

    async def _parts(self, found: Mapping[str, OfInvoiceT]) -> Mapping[str, OfInvoiceT]:
        visible = await self._visible_invoices(each.invoice_id for each in _records(found))
        if visible is None:
            return found
        return {key: each for key, each in found.items() if _is_error(each) or each.invoice_id in visible}

    async def _entries(self, found: Mapping[str, JournalEntryRecord]) -> Mapping[str, JournalEntryRecord]:
        """Keep the entries of visible documents; what was booked by hand is nobody's."""
        records = list(_records(found))
        invoices = await self._visible_invoices(each.invoice_id for each in records if each.invoice_id)
        if invoices is None:
            return found
        deferred = [each.deferral_id for each in records if not each.invoice_id and each.deferral_id]
        deferrals = await self._deferrals(await _read(self._erp.deferrals, deferred))
        return {
            key: each
            for key, each in found.items()
            if _is_error(each) or each.invoice_id in invoices or (not each.invoice_id and each.deferral_id in deferrals)
        }

    async def _lists_of_invoices(
        self, found: Mapping[str, Sequence[InvoiceRecord]]
    ) -> Mapping[str, Sequence[InvoiceRecord]]:
        return await self._lists(found, lambda invoice: invoice.customer_id)

    async def _lists_of_deferrals(
        self, found: Mapping[str, Sequence[DeferralRecord]]
    ) -> Mapping[str, Sequence[DeferralRecord]]:
        return await self._lists(found, lambda deferral: deferral.customer_id)

    async def _lists_of_lines(
        self, found: Mapping[str, Sequence[InvoiceLineRecord]]
    ) -> Mapping[str, Sequence[InvoiceLineRecord]]:
        visible = await self._visible_invoices(line.invoice_id for lines in _records(found) for line in lines)
        if visible is None:
            return found
        return {
            key: lines if _is_error(lines) else [line for line in lines if line.invoice_id in visible]
            for key, lines in found.items()
        }

    async def _lists(
        self, found: Mapping[str, Sequence[RecordT]], customer_of: Callable[[RecordT], str]
    ) -> Mapping[str, Sequence[RecordT]]:
        visible = await self._confinement.visible()
        if visible is None:
            return found
        return {
            key: each if _is_error(each) else [record for record in each if customer_of(record) in visible]
            for key, each in found.items()
        }

    async def _of_invoices(self, ids: Sequence[str]) -> Sequence[str]:
        visible = await self._visible_invoices(ids)
        return ids if visible is None else [each for each in ids if each in visible]

    async def _of_entries(self, ids: Sequence[str]) -> Sequence[str]:
        if await self._confinement.visible() is None:
            return ids
        found = await self._entries(await _read(self._erp.journal_entries, ids))
        return [each for each in ids if each in found]

    async def _of_contracts(self, numbers: Sequence[str]) -> Sequence[str]:
        """Return the contracts all of whose documents are of visible customers."""
        visible = await self._confinement.visible()
        if visible is None:
            return numbers
        found = await _read(self._erp.invoices_of_contracts(InvoiceQuery()), numbers)
        foreign = {
            number
            for number, invoices in found.items()
            if _is_error(invoices) or any(each.customer_id not in visible for each in invoices)
        }
        return [number for number in numbers if number in found and number not in foreign]

    async def _visible_invoices(self, ids: Iterable[str]) -> frozenset[str] | None:
        """Return those of invoices' ids whose customers the caller may see; None: all are."""
        if await self._confinement.visible() is None:
            return None
        found = await self._invoices(await _read(self._erp.invoices, list(dict.fromkeys(ids))))
        return frozenset(key for key, each in found.items() if not _is_error(each))

    # What is written has been read by the same caller before.

    async def list_periods(self) -> Sequence[PeriodRecord]:
        """As the ERP's: periods are nobody's."""
        return await self._erp.list_periods()

    async def set_credit_hold(self, customer: CustomerRecord, *, on_hold: bool, version: str) -> None:
        """As the ERP's."""
        await self._erp.set_credit_hold(customer, on_hold=on_hold, version=version)

    async def record_payment(
        self, invoice: InvoiceRecord, *, amount: Decimal, received_on: dt.date, method: str | None, reference: str
    ) -> str:
        """As the ERP's."""
        return await self._erp.record_payment(
            invoice, amount=amount, received_on=received_on, method=method, reference=reference
        )

    async def find_payment(self, invoice: InvoiceRecord, reference: str) -> str | None:
        """As the ERP's."""
        return await self._erp.find_payment(invoice, reference)

    async def issue_credit_memo(
        self, invoice: InvoiceRecord, lines: Sequence[CreditLine], *, issued_on: dt.date, reason: str, reference: str
    ) -> str:
        """As the ERP's."""
        return await self._erp.issue_credit_memo(
            invoice, lines, issued_on=issued_on, reason=reason, reference=reference
        )

    async def find_credit_memo(self, invoice: InvoiceRecord, reference: str) -> str | None:
        """As the ERP's: what it finds is read by the caller."""
        return await self._erp.find_credit_memo(invoice, reference)

    async def void_invoice(self, invoice: InvoiceRecord, *, version: str) -> None:
        """As the ERP's."""
        await self._erp.void_invoice(invoice, version=version)


async def _read(whole: Readable[RecordT], ids: Sequence[str]) -> Mapping[str, RecordT]:
    """Return records of any number of ids, in calls of the size that the ERP takes."""
    size = whole.capabilities.max_ids_per_call
    found: dict[str, RecordT] = {}
    for start in range(0, len(ids), size):
        found.update(await whole.read(ids[start : start + size]))
    return found


def _records(found: Mapping[str, RecordT]) -> Iterable[RecordT]:
    """Return what was found, without errors that stand in its place."""
    return (each for each in found.values() if not _is_error(each))


def _is_error(found: object) -> bool:
    """Whether a record could not be read, and its error is in its place."""
    return isinstance(found, FieldError)
