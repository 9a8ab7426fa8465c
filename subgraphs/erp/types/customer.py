"""What the ERP adds to a customer: the legal party, its credit, and what it owes."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Self

import strawberry
from strawberry import Private

from subgraphs.erp.context import Info
from subgraphs.erp.records import CustomerRecord, InvoiceRecord
from subgraphs.erp.revenue import total, totals
from subgraphs.erp.types.inputs import InvoiceFilter, InvoiceOrder, ordered, related_query
from subgraphs.erp.types.invoice import Invoice, invoices_of
from subgraphs.kit.connection import Connection, connection_of, page_window
from subgraphs.kit.instance_ids import instance_of_id
from subgraphs.kit.money import Money, sum_money
from subgraphs.kit.record_copy import RecordCopy, RecordField


@strawberry.federation.type(
    keys=["erpRef"],
    description="A company we sell to: one customer over all systems, each field from the system that owns it.",
)
class Customer:
    """A company that we sell to: all ERP records that identity links to it."""

    ids: Private[tuple[str, ...]]
    erp_ref: strawberry.ID = strawberry.federation.field(
        inaccessible=True, description="Ids of the ERP's records of this customer, joined by `+`."
    )

    @classmethod
    def of(cls, ids: Sequence[str]) -> Self:
        """Return the customer of these party ids."""
        return cls(ids=tuple(ids), erp_ref=strawberry.ID("+".join(ids)))

    @classmethod
    async def resolve_reference(cls, info: Info, erp_ref: str) -> Self | None:
        """Find a customer by the set of its record ids, joined by "+"; null when none of them exists."""
        customer = cls(ids=tuple(dict.fromkeys(erp_ref.split("+"))), erp_ref=strawberry.ID(erp_ref))
        return customer if await customer._records(info) else None

    async def _records(self, info: Info) -> Sequence[CustomerRecord]:
        found = await asyncio.gather(*(info.context.customers.load(i) for i in self.ids))
        return [record for record in found if record is not None]

    @strawberry.field(description="The name that invoices are made out to; for what sales says see `name`.")
    async def legal_name(self, info: Info) -> str | None:
        return next((record.legal_name for record in await self._records(info) if record.legal_name), None)

    @strawberry.field(description="VAT and other tax numbers, of all ERP records of the customer.")
    async def tax_ids(self, info: Info) -> list[str] | None:
        return list(dict.fromkeys(tax_id for record in await self._records(info) for tax_id in record.tax_ids))

    @strawberry.field(description="How much may be owed at most, in the books' own currency; null: without limit.")
    async def credit_limit(self, info: Info) -> Money | None:
        limits = [(r.credit_limit, r.books_currency) for r in await self._records(info)]
        return sum_money(Money.of(limit, currency) for limit, currency in limits if limit is not None)

    @strawberry.field(
        description="True: finance lets nothing more be sold on credit, and entitlement decisions refuse; null where the ERP has no record."
    )
    async def credit_hold(self, info: Info) -> bool | None:
        records = await self._records(info)
        return any(record.credit_hold for record in records) if records else None

    @strawberry.field(
        description="What the customer owes now: open invoices less credit not used yet; null when that is in several currencies, see `openBalances`."
    )
    async def open_balance(self, info: Info) -> Money | None:
        return await self._owed(info, overdue_on=None)

    @strawberry.field(
        description="The part of `openBalance` that is past its due date today, in UTC; null when that is in several currencies."
    )
    async def overdue_balance(self, info: Info) -> Money | None:
        return await self._owed(info, overdue_on=info.context.today())

    @strawberry.field(description="What the customer owes now, one amount per currency; empty when nothing.")
    async def open_balances(self, info: Info) -> list[Money] | None:
        return list(totals((record.balance, record.currency) for record in await self._open(info)))

    async def _open(self, info: Info) -> Sequence[InvoiceRecord]:
        found = await asyncio.gather(*(info.context.open_documents.load(i) for i in self.ids))
        # A credit memo that is applied to an invoice is in that invoice's balance already.
        return [record for records in found for record in records if record.applied_to is None]

    async def _owed(self, info: Info, *, overdue_on: dt.date | None) -> Money | None:
        documents, records = await asyncio.gather(self._open(info), self._records(info))
        counted = [r for r in documents if overdue_on is None or r.is_overdue(overdue_on)]
        if counted:
            return total((r.balance, r.currency) for r in counted)
        currencies = {r.currency for r in documents} or {r.books_currency for r in records[:1]}
        books = records[0].books_currency if records else None
        currency = currencies.pop() if len(currencies) == 1 else books
        return None if currency is None else Money.of(Decimal(0), currency)

    @strawberry.field(description="The customer's invoices, the newest first unless ordered otherwise.")
    async def invoices(
        self,
        info: Info,
        filter: InvoiceFilter | None = None,  # noqa: A002 - the argument's name in the graph
        order_by: InvoiceOrder | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Invoice] | None:
        window = page_window(first=first, after=after, last=last, before=before)
        loader = info.context.invoices_of_customers(related_query(filter))
        found = await asyncio.gather(*(loader.load(i) for i in self.ids))
        records = ordered([record for records in found for record in records], order_by)
        return connection_of(invoices_of(records), window, identity=lambda invoice: invoice.id)

    @strawberry.field(
        description="What the ERP itself holds of the customer, copies of fields that other systems own included; null where it has no record."
    )
    async def erp_record(self, info: Info) -> RecordCopy | None:
        records = await self._records(info)
        if not records:
            return None
        record = records[0]
        fields = {
            "reference": record.reference,
            "name": record.legal_name,
            "street": record.street,
            "city": record.city,
            "country": record.country,
            "website": record.website,
            "email": record.email,
        }
        system, own_id = instance_of_id("erp", record.id)
        return RecordCopy(
            system=system,
            vendor="tryton",
            external_id=own_id,
            name=record.legal_name,
            fields=[RecordField(name=name, value=value) for name, value in fields.items()],
            read_at=dt.datetime.now(dt.UTC),
        )

    @strawberry.field(
        description="Opaque, changes with every change of the ERP's record; send it with `setCreditHold`, which refuses a stale one."
    )
    async def erp_version(self, info: Info) -> str | None:
        return "+".join(record.version for record in await self._records(info)) or None
