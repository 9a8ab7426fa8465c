"""Billing's part of an invoice."""

from __future__ import annotations

import datetime as dt
from typing import Self

import strawberry

from subgraphs.billing.context import Info
from subgraphs.billing.types.values import (
    BillingDocumentStatus,
)
from subgraphs.kit.money import Money


@strawberry.type(description="Billing's own copy of an invoice; the ERP's is the one that counts.")
class BillingDocument:
    """Billing's own copy of an invoice."""

    id: str = strawberry.field(description="The id by which the billing platform itself knows it.")
    status: BillingDocumentStatus = strawberry.field(
        description="State of billing's copy, which may differ from the invoice's in the ERP."
    )
    subtotal: Money = strawberry.field(description="Sum of its lines, without tax.")
    tax: Money = strawberry.field(description="Tax as billing reckoned it.")
    total: Money = strawberry.field(description="Subtotal and tax.")
    amount_due: Money = strawberry.field(description="What billing believes is still to be paid.")
    issued_at: dt.datetime = strawberry.field(description="When billing issued it, or made it if not issued yet.")
    due_on: dt.date | None = strawberry.field(
        description="Last day to pay, in UTC; null where billing collects by itself."
    )


@strawberry.federation.type(
    keys=["number"], description="What a customer owes for what was charged; the ERP owns it and posts it to the books."
)
class Invoice:
    """Billing's part of an invoice: the document it came from."""

    number: str = strawberry.field(
        description="Business key in all systems, such as `INV-2025-00001`; null while it is a draft without a number."
    )

    @classmethod
    async def resolve_reference(cls, info: Info, *, number: str) -> Self | None:
        """Return the invoice, if billing has a document for it."""
        return None if await info.context.documents.load(number) is None else cls(number=number)

    @strawberry.field(description="Billing's own copy of the invoice; null if it has none.")
    async def billing_document(self, info: Info) -> BillingDocument | None:
        """Billing's own copy."""
        found = await info.context.documents.load(self.number)
        if found is None:
            return None
        return BillingDocument(
            id=found.id,
            status=found.status,
            subtotal=Money.of(found.subtotal, found.currency),
            tax=Money.of(found.tax, found.currency),
            total=Money.of(found.total, found.currency),
            amount_due=Money.of(found.amount_due, found.currency),
            issued_at=found.issued_at,
            due_on=found.due_on,
        )
