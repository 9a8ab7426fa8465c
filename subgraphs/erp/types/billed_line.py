"""What became of a billed line in the ERP, and what is missing."""

from __future__ import annotations

from typing import Self

import strawberry

from subgraphs.erp.context import Info
from subgraphs.erp.gaps import Trail, find_gaps
from subgraphs.erp.records import InvoiceLineRecord
from subgraphs.erp.revenue import choose_line
from subgraphs.erp.types.invoice import InvoiceLine
from subgraphs.kit.lineage_gap import LineageGap


@strawberry.federation.type(
    keys=["ref"],
    description="What billing charged for one item and period; the link from contract to invoice line in the revenue lineage.",
)
class BilledLine:
    """A charge of the billing platform."""

    ref: strawberry.ID

    @classmethod
    def resolve_reference(cls, info: Info, ref: str) -> Self:
        """The billing platform owns it: whether it exists is not for the ERP to say."""
        del info
        return cls(ref=strawberry.ID(ref))

    async def _line(self, info: Info) -> InvoiceLineRecord | None:
        return choose_line(await info.context.lines_of_billed_lines.load(self.ref))

    @strawberry.field(
        description="The invoice line that carries it in the ERP, of a voided invoice only if there is no other; null where none does."
    )
    async def invoice_line(self, info: Info) -> InvoiceLine | None:
        line = await self._line(info)
        return None if line is None else InvoiceLine.of(line)

    @strawberry.field(
        description="What is missing from here to the ledger, in the order of the chain: NOT_INVOICED, NOT_POSTED, UNPAID, NO_REVENUE_SCHEDULE, NOT_RECOGNISED, NOT_JOURNALED; empty if nothing is."
    )
    async def gaps(self, info: Info) -> list[LineageGap] | None:
        context, line = info.context, await self._line(info)
        invoice = await context.invoices.load(line.invoice_id) if line else None
        deferrals = await context.deferrals_of_lines.load(line.id) if line and line.service_from else ()
        entry_id = line.invoice_journal_entry_id if line else None
        trail = Trail(
            line=line,
            invoice=invoice,
            deferral=deferrals[0] if deferrals else None,
            journal_entry=await context.journal_entries.load(entry_id) if entry_id else None,
        )
        return list(find_gaps(self.ref, trail, context.today()))
