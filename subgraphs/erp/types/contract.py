"""What the ERP adds to a contract: what was billed, recognised and deferred."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Self

import strawberry

from subgraphs.erp.context import Info
from subgraphs.erp.records import ChargeRecord, RevenueEntryRecord, RevenueStatus
from subgraphs.erp.revenue import contract_schedule, total
from subgraphs.erp.types.inputs import InvoiceFilter, InvoiceOrder, ordered, related_query
from subgraphs.erp.types.invoice import Invoice, invoices_of
from subgraphs.erp.types.ledger import RevenueEntry
from subgraphs.kit.connection import Connection, connection_of, page_window
from subgraphs.kit.global_id import encode_global_id
from subgraphs.kit.money import Money
from subgraphs.kit.node import NODE_ID


@strawberry.federation.type(
    keys=["number"], description="A recurring agreement with a customer: what vendors call a subscription."
)
class Contract:
    """A recurring agreement with a customer."""

    number: str

    @classmethod
    def resolve_reference(cls, info: Info, number: str) -> Self:
        """The billing platform owns it: whether it exists is not for the ERP to say."""
        del info
        return cls(number=number)

    @strawberry.federation.field(shareable=True, description=NODE_ID)
    def id(self) -> strawberry.ID:
        return strawberry.ID(encode_global_id("Contract", self.number))

    @strawberry.field(
        description="The contract's invoices as the ERP has them, the newest first unless ordered otherwise."
    )
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
        records = await info.context.invoices_of_contracts(related_query(filter)).load(self.number)
        return connection_of(invoices_of(ordered(records, order_by)), window, identity=lambda invoice: invoice.id)

    @strawberry.field(
        description="Invoiced and posted so far, less credit memos, without tax; null before the first invoice."
    )
    async def billed_to_date(self, info: Info) -> Money | None:
        return total((line.amount, line.currency) for line in await self._charges(info))

    @strawberry.field(
        description="The part of what was billed that is revenue in the books already, without tax; null before the first invoice."
    )
    async def recognized_to_date(self, info: Info) -> Money | None:
        return total(await self._recognized(info))

    @strawberry.field(
        description="The part of what was billed that is still to be recognised, without tax; null before the first invoice."
    )
    async def deferred_balance(self, info: Info) -> Money | None:
        charges, recognized = await asyncio.gather(self._charges(info), self._recognized(info))
        # Not the sum of what is scheduled: cents that Tryton leaves behind when it spreads an amount stay deferred.
        return total(
            [*((line.amount, line.currency) for line in charges), *((-a, currency) for a, currency in recognized)]
        )

    @strawberry.field(description="Revenue of all its invoiced lines, booked and to come, by month.")
    async def revenue_schedule(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[RevenueEntry] | None:
        window = page_window(first=first, after=after, last=last, before=before)
        entries = [RevenueEntry.of(entry) for entry in await self._schedule(info)]
        return connection_of(entries, window, identity=lambda entry: entry.id)

    async def _recognized(self, info: Info) -> Sequence[tuple[Decimal, str]]:
        """Return the amounts recognised; zeros for the others, so that there is a sum where nothing is recognised yet."""
        return [
            (entry.amount if entry.status is RevenueStatus.RECOGNIZED else Decimal(0), entry.currency)
            for entry in await self._schedule(info)
        ]

    async def _charges(self, info: Info) -> Sequence[ChargeRecord]:
        return await info.context.charges_of_contracts.load(self.number)

    async def _schedule(self, info: Info) -> Sequence[RevenueEntryRecord]:
        charges = await self._charges(info)
        # Read by line, as those who ask for the lines' own schedules do, so that each is read once.
        deferrable = [charge.id for charge in charges if charge.service_from]
        found = await info.context.deferrals_of_lines.load_many(deferrable)
        return contract_schedule(charges, [deferral for deferrals in found for deferral in deferrals])
