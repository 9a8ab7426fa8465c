"""Billing's part of an invoice."""

from __future__ import annotations

import datetime as dt
from typing import Self

import strawberry

from subgraphs.billing.context import Info
from subgraphs.billing.types.values import (
    BillingDocumentStatus,
    money,
)
from subgraphs.kit.money import Money


@strawberry.type(description="Billing's own copy of an invoice.")
class BillingDocument:
    """Billing's own copy of an invoice."""

    id: str = strawberry.field(description="The vendor's id.")
    status: BillingDocumentStatus
    subtotal: Money
    tax: Money
    total: Money
    amount_due: Money
    issued_at: dt.datetime
    due_on: dt.date | None


@strawberry.federation.type(keys=["number"], description="An invoice.")
class Invoice:
    """Billing's part of an invoice: the document it came from."""

    number: str

    @classmethod
    async def resolve_reference(cls, info: Info, *, number: str) -> Self | None:
        """Return the invoice, if billing has a document for it."""
        return None if await info.context.documents.load(number) is None else cls(number=number)

    @strawberry.field(description="Billing's own copy; null if it has none.")
    async def billing_document(self, info: Info) -> BillingDocument | None:
        """Billing's own copy."""
        found = await info.context.documents.load(self.number)
        if found is None:
            return None
        return BillingDocument(
            id=found.id,
            status=found.status,
            subtotal=money(found.subtotal, found.currency),
            tax=money(found.tax, found.currency),
            total=money(found.total, found.currency),
            amount_due=money(found.amount_due, found.currency),
            issued_at=found.issued_at,
            due_on=found.due_on,
        )
