"""Billed lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

import strawberry

from subgraphs.billing import records
from subgraphs.billing.context import Info
from subgraphs.billing.types.catalog import Product
from subgraphs.billing.types.invoice import Invoice
from subgraphs.billing.types.values import (
    ServicePeriod,
    money,
)
from subgraphs.kit.money import Money

if TYPE_CHECKING:
    from subgraphs.billing.types.contract import Contract

LazyContract = Annotated["Contract", strawberry.lazy("subgraphs.billing.types.contract")]


@strawberry.federation.type(keys=["ref"], description="A charge for one item and period.")
class BilledLine:
    """A charge for one item and period."""

    record: strawberry.Private[records.BilledLine]
    ref: strawberry.ID

    @classmethod
    def of(cls, record: records.BilledLine) -> Self:
        """Return the type of a record."""
        return cls(record=record, ref=strawberry.ID(record.ref))

    @classmethod
    async def resolve_reference(cls, info: Info, *, ref: str) -> Self | None:
        """Return the billed line with that reference."""
        found = await info.context.lines.load(ref)
        return None if found is None else cls.of(found)

    @strawberry.field
    def description(self) -> str:
        """What was charged."""
        return self.record.description

    @strawberry.field
    def quantity(self) -> int | None:
        """How many units."""
        return self.record.quantity

    @strawberry.field(description="Before tax.")
    def amount(self) -> Money:
        """What it cost."""
        return money(self.record.amount, self.record.currency)

    @strawberry.field
    def period(self) -> ServicePeriod:
        """For which days."""
        return ServicePeriod(starts_on=self.record.starts_on, ends_on=self.record.ends_on)

    @strawberry.field
    async def product(self, info: Info) -> Product | None:
        """For what."""
        found = (await info.context.catalog()).products.get(self.record.product or "")
        return None if found is None else Product.of(found)

    @strawberry.field
    async def contract(self, info: Info) -> LazyContract | None:
        """Under which contract."""
        from subgraphs.billing.types.contract import Contract  # noqa: PLC0415 - the two types point at each other

        found = await info.context.contracts_by_id.load(self.record.contract) if self.record.contract else None
        return None if found is None or found.granted_feature else Contract.of(found)

    @strawberry.field(description="The invoice billing put it on; null where it carries no invoice number.")
    def invoice(self) -> Invoice | None:
        """On which invoice."""
        return None if self.record.invoice_number is None else Invoice(number=self.record.invoice_number)
