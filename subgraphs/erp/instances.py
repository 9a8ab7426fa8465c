"""Several ERPs behind one port, such as one per region: each id is read from the instance that it names.

Lists are merged in order; a contract number or SKU is looked for in all that the caller may see. Who may not see an
instance's region finds in it nothing, as if it were not there: not in lists, counts, sums or errors either. What is written,
and which ERP gets a new customer, is decided in `instance_writes`.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import heapq
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from subgraphs.erp.instance_records import rename
from subgraphs.erp.port import Erp, InvoiceOrder, InvoicePage, InvoicePosition, InvoiceQuery, Related, UnreadableRow
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
from subgraphs.kit.adaptor import Adaptor, Capabilities
from subgraphs.kit.instance_ids import id_order
from subgraphs.kit.instances import Instance, InstancedRecords, by_instance, everywhere, visible
from subgraphs.kit.system_error import ConflictError, FieldError, VendorError

RecordT = TypeVar("RecordT")


class InstancedReads:
    """The reads of the port over several ERPs. The first is one's own."""

    def __init__(self, instances: Sequence[Instance[Erp]]) -> None:
        self._instances = instances

        def by_id(adaptor: Callable[[Erp], Adaptor[RecordT]]) -> InstancedRecords[Erp, RecordT]:
            return InstancedRecords(instances, adaptor, rename)

        def of_records(related: Callable[[Erp], Related[RecordT]]) -> _OfRecords[RecordT]:
            return _OfRecords(instances, related)

        self.customers: Adaptor[CustomerRecord] = by_id(lambda erp: erp.customers)
        self.invoices: Adaptor[InvoiceRecord] = by_id(lambda erp: erp.invoices)
        self.invoice_lines: Adaptor[InvoiceLineRecord] = by_id(lambda erp: erp.invoice_lines)
        self.payments: Adaptor[PaymentRecord] = by_id(lambda erp: erp.payments)
        self.deferrals: Adaptor[DeferralRecord] = by_id(lambda erp: erp.deferrals)
        self.journal_entries: Adaptor[JournalEntryRecord] = by_id(lambda erp: erp.journal_entries)
        self.periods: Adaptor[PeriodRecord] = by_id(lambda erp: erp.periods)
        self.invoices_by_number: Adaptor[InvoiceRecord] = _ByKey(
            instances, lambda erp: erp.invoices_by_number, is_one=True
        )
        self.products: Adaptor[ProductRecord] = _ByKey(instances, lambda erp: erp.products, is_one=False)
        self.lines_of_journal_entries: Related[JournalLineRecord] = of_records(lambda erp: erp.lines_of_journal_entries)
        self.open_documents_of_customers: Related[InvoiceRecord] = of_records(
            lambda erp: erp.open_documents_of_customers
        )
        self.lines_of_invoices: Related[InvoiceLineRecord] = of_records(lambda erp: erp.lines_of_invoices)
        self.payments_of_invoices: Related[PaymentRecord] = of_records(lambda erp: erp.payments_of_invoices)
        self.credit_memos_of_invoices: Related[InvoiceRecord] = of_records(lambda erp: erp.credit_memos_of_invoices)
        self.deferrals_of_lines: Related[DeferralRecord] = of_records(lambda erp: erp.deferrals_of_lines)
        self.charges_of_contracts: Related[ChargeRecord] = _OfKeys(instances, lambda erp: erp.charges_of_contracts)
        self.lines_of_billed_lines: Related[InvoiceLineRecord] = _OfKeys(
            instances, lambda erp: erp.lines_of_billed_lines
        )

    def invoices_of_customers(self, query: InvoiceQuery) -> Related[InvoiceRecord]:
        """By customer."""
        return _OfRecords(self._instances, lambda erp: erp.invoices_of_customers(query))

    def invoices_of_contracts(self, query: InvoiceQuery) -> Related[InvoiceRecord]:
        """By contract number, of all instances."""
        return _OfKeys(self._instances, lambda erp: erp.invoices_of_contracts(query))

    async def list_invoices(
        self, query: InvoiceQuery, order: InvoiceOrder, *, size: int, after: InvoicePosition | None
    ) -> InvoicePage:
        """Return up to `size` invoices behind `after`: the next ones of every instance, merged. Raises VendorError."""
        asked = [
            (place, instance, own)
            for place, instance in enumerate(self._instances)
            if instance.is_visible and (own := _query_of(instance, query)) is not None
        ]

        async def ask(place: int, instance: Instance[Erp], own: InvoiceQuery) -> InvoicePage:
            start = None if after is None else self._position_of(place, after, order)
            page = await instance.port.list_invoices(own, order, size=size, after=start)
            return replace(page, invoices=[rename(instance.ids, invoice) for invoice in page.invoices])

        pages = await asyncio.gather(*(ask(*each) for each in asked))
        # `merge` keeps what is equal in the order of its arguments: that of the instances, the last first when descending.
        lists = [page.invoices for page in (reversed(pages) if order.is_descending else pages)]
        merged = list(heapq.merge(*lists, key=lambda invoice: _Value(order.value_of(invoice), order.is_descending)))
        return InvoicePage(invoices=merged[:size], has_more=len(merged) > size or any(page.has_more for page in pages))

    def _position_of(self, place: int, after: InvoicePosition, order: InvoiceOrder) -> InvoicePosition:
        """Return where an instance's own list goes on behind a position in the merged list."""
        if after.id is None:
            return after
        owner = next((at for at, each in enumerate(self._instances) if each.ids.owns(after.id)), -1)
        if owner == place:
            return replace(after, id=self._instances[place].ids.own([after.id])[0])
        return replace(after, id=None, are_equals_behind=(place > owner) is not order.is_descending)

    async def count_invoices(self, query: InvoiceQuery) -> int | None:
        """Return how many match in all instances; None when one of them can't count that."""
        asked = [(each, own) for each in visible(self._instances) if (own := _query_of(each, query)) is not None]
        counts = await asyncio.gather(*(each.port.count_invoices(own) for each, own in asked))
        found = [count for count in counts if count is not None]
        return sum(found) if len(found) == len(counts) else None

    async def list_periods(self) -> Sequence[PeriodRecord]:
        """Return the periods of all books, the newest first."""
        found = await self._everywhere(lambda erp: erp.list_periods())
        return sorted(found, key=lambda period: period.starts_on, reverse=True)

    async def changed_customers(
        self, since: dt.datetime | None, *, unreadable: list[UnreadableRow] | None = None
    ) -> Sequence[CustomerRecord]:
        """Return the customers changed at or after `since`, the oldest change first."""
        return await self._changed(lambda erp, odd: erp.changed_customers(since, unreadable=odd), unreadable)

    async def deleted_customers(self, ids: Sequence[str]) -> frozenset[str]:
        """Return which customers are there no more, of those that the ids' instances can be asked about."""
        found: set[str] = set()
        for instance in visible(self._instances):
            own = instance.ids.own(ids)
            if own:
                found.update(instance.ids.add_all(sorted(await instance.port.deleted_customers(own))))
        return frozenset(found)

    async def changed_invoices(
        self, since: dt.datetime | None, *, unreadable: list[UnreadableRow] | None = None
    ) -> Sequence[InvoiceRecord]:
        """Return the invoices changed at or after `since`, the oldest change first."""
        return await self._changed(lambda erp, odd: erp.changed_invoices(since, unreadable=odd), unreadable)

    async def changed_journal_entries(
        self, since: dt.datetime, *, unreadable: list[UnreadableRow] | None = None
    ) -> Sequence[JournalEntryRecord]:
        """Return the entries changed at or after `since`, the oldest change first."""
        return await self._changed(lambda erp, odd: erp.changed_journal_entries(since, unreadable=odd), unreadable)

    async def last_journal_change(self) -> dt.datetime | None:
        """Return when an entry of any books changed last."""
        found = await everywhere(self._instances, lambda erp: erp.last_journal_change())
        return max((instant for _, instant in found if instant is not None), default=None)

    async def _changed(
        self,
        ask: Callable[[Erp, list[UnreadableRow]], Awaitable[Sequence[RecordT]]],
        unreadable: list[UnreadableRow] | None,
    ) -> list[RecordT]:
        async def one(erp: Erp) -> tuple[Sequence[RecordT], list[UnreadableRow]]:
            odd: list[UnreadableRow] = []
            return await ask(erp, odd), odd

        found = list(await everywhere(self._instances, one))
        if unreadable is not None:
            unreadable += [replace(row, id=instance.ids.add(row.id)) for instance, (_, odd) in found for row in odd]
        return _by_change([rename(instance.ids, record) for instance, (records, _) in found for record in records])

    async def _everywhere(self, ask: Callable[[Erp], Awaitable[Sequence[RecordT]]]) -> list[RecordT]:
        found = await everywhere(self._instances, ask)
        return [rename(instance.ids, record) for instance, records in found for record in records]


@dataclass(frozen=True, slots=True)
class _OfRecords(Generic[RecordT]):
    """What belongs to records that name their instance by their ids."""

    instances: Sequence[Instance[Erp]]
    related: Callable[[Erp], Related[RecordT]]

    @property
    def capabilities(self) -> Capabilities:
        """Those of the first, with the smallest batch of all."""
        return _smallest(self.related(each.port).capabilities for each in self.instances)

    async def read(self, ids: Sequence[str]) -> Mapping[str, Sequence[RecordT]]:
        """Return the related records by the id they belong to."""

        async def read(instance: Instance[Erp], own: Sequence[str]) -> Mapping[str, Sequence[RecordT]]:
            found = await self.related(instance.port).read(own)
            return {
                key: records if isinstance(records, FieldError) else [rename(instance.ids, each) for each in records]
                for key, records in found.items()
            }

        return await by_instance(self.instances, ids, read)


@dataclass(frozen=True, slots=True)
class _OfKeys(Generic[RecordT]):
    """What belongs to something that several instances may know, such as a contract: looked for in all of them."""

    instances: Sequence[Instance[Erp]]
    related: Callable[[Erp], Related[RecordT]]

    @property
    def capabilities(self) -> Capabilities:
        """Those of the first, with the smallest batch of all."""
        return _smallest(self.related(each.port).capabilities for each in self.instances)

    async def read(self, ids: Sequence[str]) -> Mapping[str, Sequence[RecordT]]:
        """Return the related records by the key they belong to, those of one's own ERP first."""
        found: dict[str, Any] = {}
        for instance, part in await everywhere(self.instances, lambda erp: self.related(erp).read(ids)):
            for key, records in part.items():
                if isinstance(records, FieldError) or isinstance(found.get(key), FieldError):
                    found[key] = records if isinstance(records, FieldError) else found[key]
                else:
                    found.setdefault(key, []).extend(rename(instance.ids, record) for record in records)
        return found


@dataclass(frozen=True, slots=True)
class _ByKey(Generic[RecordT]):
    """Records by a key of the business, such as an invoice's number, which several instances may have given."""

    instances: Sequence[Instance[Erp]]
    adaptor: Callable[[Erp], Adaptor[RecordT]]
    is_one: bool
    """Whether the records of several are different things, so that nobody is given the wrong one; else the first answers."""

    @property
    def capabilities(self) -> Capabilities:
        """Those of the first, with the smallest batch of all."""
        return _smallest(self.adaptor(each.port).capabilities for each in self.instances)

    async def read(self, ids: Sequence[str]) -> Mapping[str, RecordT]:
        """Return the records that exist, by key; a FieldError for a key that several have, or that one may have which fails."""
        asked = visible(self.instances)

        async def ask(instance: Instance[Erp]) -> Mapping[str, Any]:
            try:
                found = await self.adaptor(instance.port).read(ids)
            except FieldError as error:
                if len(asked) == 1:
                    raise
                return dict.fromkeys(ids, error)
            return {
                key: record if isinstance(record, FieldError) else rename(instance.ids, record)
                for key, record in found.items()
            }

        found: dict[str, Any] = {}
        for part in await asyncio.gather(*map(ask, asked)):
            for key, record in part.items():
                if key not in found or isinstance(found[key], VendorError):
                    found[key] = record
                elif self.is_one and not isinstance(record, FieldError):
                    found[key] = ConflictError("Several ERPs have a document with this number; ask for it by its id.")
        return found


@dataclass(frozen=True, slots=True)
class _Value:
    """What a list is ordered by, comparable in the list's direction; what has no value comes last in both."""

    value: str | None
    is_descending: bool

    def __lt__(self, other: _Value) -> bool:
        if self.value is None or other.value is None:
            return self.value is not None
        return self.value > other.value if self.is_descending else self.value < other.value


def _query_of(instance: Instance[Erp], query: InvoiceQuery) -> InvoiceQuery | None:
    """Return the query in an instance's own ids; None when it can't have any such invoice."""
    if query.customer_ids is None:
        return query
    own = instance.ids.own(query.customer_ids)
    return replace(query, customer_ids=tuple(own)) if own else None


def _by_change(records: list[Any]) -> list[Any]:
    return sorted(records, key=lambda record: (record.modified_at, id_order(record.id)))


def _smallest(sheets: Iterable[Capabilities]) -> Capabilities:
    first, *others = sheets
    return replace(first, max_ids_per_call=min(sheet.max_ids_per_call for sheet in (first, *others)))
