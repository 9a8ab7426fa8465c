"""Products and prices."""

from __future__ import annotations

from typing import Self

import strawberry

from subgraphs.billing import records
from subgraphs.billing.context import Info
from subgraphs.billing.types.values import BillingInterval, UsageKind, money
from subgraphs.kit.money import Money


@strawberry.type(description="What a product costs per unit and cycle.")
class Price:
    """What a product costs per unit and cycle."""

    reference: str | None = strawberry.field(description="Business key; null for a price negotiated with one customer.")
    unit_amount: Money | None = strawberry.field(description="Null for tiered prices.")
    interval: BillingInterval | None = strawberry.field(description="Null for a one-off charge.")
    interval_count: int
    usage: UsageKind
    active: bool

    @classmethod
    def of(cls, record: records.Price) -> Price:
        """Return the type of a record."""
        return cls(
            reference=record.reference,
            unit_amount=None if record.unit_amount is None else money(record.unit_amount, record.currency),
            interval=record.interval,
            interval_count=record.interval_count,
            usage=record.usage,
            active=record.is_active,
        )


@strawberry.federation.type(keys=["sku"], description="Something that is sold.")
class Product:
    """Something that is sold."""

    record: strawberry.Private[records.Product]
    sku: str

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
    def name(self) -> str:
        """Name of the product."""
        return self.record.name

    @strawberry.field(description="Whether it is still sold.")
    def active(self) -> bool:
        """Whether it is still sold."""
        return self.record.is_active

    @strawberry.field(description="Keys of the features it entitles to.")
    def features(self) -> list[str]:
        """Keys of the features it entitles to."""
        return list(self.record.features)

    @strawberry.field(description="List prices, by currency and interval.")
    async def prices(self, info: Info) -> list[Price]:
        """List prices."""
        catalog = await info.context.catalog()
        return [Price.of(price) for price in catalog.prices.get(self.record.id, ())]
