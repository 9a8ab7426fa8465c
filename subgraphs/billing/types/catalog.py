"""Products and prices."""

from __future__ import annotations

from typing import Self

import strawberry

from subgraphs.billing import records
from subgraphs.billing.context import Info
from subgraphs.billing.types.values import BillingInterval, UsageKind
from subgraphs.kit.money import Money


@strawberry.type(description="What a product costs per unit and cycle.")
class Price:
    """What a product costs per unit and cycle."""

    reference: str | None = strawberry.field(
        description="Business key of a list price; null for a price negotiated with one customer."
    )
    unit_amount: Money | None = strawberry.field(
        description="Per unit and cycle, before tax; may hold fractions of a cent, null for tiered prices."
    )
    interval: BillingInterval | None = strawberry.field(
        description="Unit of the cycle in which it is charged; null for a one-off charge."
    )
    interval_count: int = strawberry.field(description="How many intervals make a cycle: 3 months, for one.")
    usage: UsageKind = strawberry.field(description="Whether it is charged ahead by quantity, or afterwards by use.")
    active: bool = strawberry.field(description="Whether new contracts can have it; old ones keep it.")

    @classmethod
    def of(cls, record: records.Price) -> Price:
        """Return the type of a record."""
        return cls(
            reference=record.reference,
            unit_amount=None if record.unit_amount is None else Money.of(record.unit_amount, record.currency),
            interval=record.interval,
            interval_count=record.interval_count,
            usage=record.usage,
            active=record.is_active,
        )


@strawberry.federation.type(
    keys=["sku"],
    description="Something that is sold; billing owns name and prices, the ERP how its revenue and tax are handled.",
)
class Product:
    """Something that is sold. Its SKU alone is never null: the ERP leads to products too."""

    record: strawberry.Private[records.Product]
    sku: str = strawberry.field(description="Business key in all systems; where none was assigned, billing's own id.")

    @classmethod
    def of(cls, record: records.Product) -> Self:
        """Return the type of a record."""
        return cls(record=record, sku=record.sku)

    @classmethod
    async def resolve_reference(cls, info: Info, *, sku: str) -> Self | None:
        """Return the product with that SKU."""
        catalog = await info.context.catalog()
        found = next((product for product in catalog.products.values() if product.sku == sku), None)
        return None if found is None else cls.of(found)

    @strawberry.field
    def name(self) -> str | None:
        """What customers know the product by."""
        return self.record.name

    @strawberry.field(description="Whether it is still sold; contracts that have it keep it.")
    def active(self) -> bool | None:
        """Whether it is still sold."""
        return self.record.is_active

    @strawberry.field(description="Keys of the features that whoever buys it may use.")
    def features(self) -> list[str] | None:
        """Keys of the features it entitles to."""
        return list(self.record.features)

    @strawberry.field(
        description="List prices, one per currency and cycle; prices negotiated with one customer are on its contracts."
    )
    async def prices(self, info: Info) -> list[Price] | None:
        """List prices."""
        catalog = await info.context.catalog()
        return [Price.of(price) for price in catalog.prices.get(self.record.id, ())]
