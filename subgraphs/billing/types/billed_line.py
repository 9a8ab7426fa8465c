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
)
from subgraphs.kit.money import Money

if TYPE_CHECKING:
    from subgraphs.billing.types.contract import Contract

LazyContract = Annotated["Contract", strawberry.lazy("subgraphs.billing.types.contract")]


@strawberry.federation.type(
    keys=["ref"],
    description="What billing charged for one item and period; the link from contract to invoice line in the revenue lineage.",
)
class BilledLine:
    """A charge for one item and period."""

    record: strawberry.Private[records.BilledLine]
    ref: strawberry.ID = strawberry.field(
        description="Business key of the charge, which the ERP's invoice line carries too; where none was given, billing's own id."
    )

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
        """What was charged, as billing words it."""
        return self.record.description

    @strawberry.field
    def quantity(self) -> int | None:
        """Units charged; null where billing gives none."""
        return self.record.quantity

    @strawberry.field(description="The charge before tax; negative for a credit.")
    def amount(self) -> Money:
        """What it cost."""
        return Money.of(self.record.amount, self.record.currency)

    @strawberry.field
    def period(self) -> ServicePeriod:
        """The days that it pays for."""
        return ServicePeriod(starts_on=self.record.starts_on, ends_on=self.record.ends_on)

    @strawberry.field
    async def product(self, info: Info) -> Product | None:
        """The product it was charged for; null for a charge without one."""
        found = (await info.context.catalog()).products.get(self.record.product or "")
        return None if found is None else Product.of(found)

    @strawberry.field
    async def contract(self, info: Info) -> LazyContract | None:
        """The contract it was charged under; null for a charge outside of contracts."""
        from subgraphs.billing.types.contract import Contract  # noqa: PLC0415 - the two types point at each other

        found = await info.context.contracts_by_id.load(self.record.contract) if self.record.contract else None
        return None if found is None or found.granted_feature else Contract.of(found)

    @strawberry.field(description="The invoice that billing put it on; null where that carries no invoice number.")
    def invoice(self) -> Invoice | None:
        """On which invoice."""
        return None if self.record.invoice_number is None else Invoice(number=self.record.invoice_number)
