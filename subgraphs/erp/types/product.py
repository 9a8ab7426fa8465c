"""What the ERP adds to a product."""

from __future__ import annotations

import datetime as dt
from typing import Self

import strawberry
from strawberry import Private

from subgraphs.erp.context import Info
from subgraphs.erp.records import ProductRecord
from subgraphs.kit.instance_ids import instance_of_id
from subgraphs.kit.money import plain_decimal
from subgraphs.kit.record_copy import RecordCopy, RecordField


@strawberry.federation.type(
    keys=["sku"],
    description="Something that is sold; billing owns name and prices, the ERP how its revenue and tax are handled.",
)
class Product:
    """Something sold."""

    record: Private[ProductRecord | None]
    sku: str

    @classmethod
    def stub(cls, sku: str) -> Self:
        """Return a product known by its SKU only; its fields are loaded when asked for."""
        return cls(sku=sku, record=None)

    @classmethod
    async def resolve_reference(cls, info: Info, sku: str) -> Self | None:
        """Find a product by SKU."""
        record = await info.context.products.load(sku)
        return None if record is None else cls(sku=sku, record=record)

    @strawberry.field(
        description="How its revenue is recognised: RATABLE_MONTHLY over the service period, or POINT_IN_TIME with the invoice; null where the ERP has no rule."
    )
    async def revenue_rule(self, info: Info) -> str | None:
        record = self.record or await info.context.products.load(self.sku)
        return record.revenue_rule if record else None

    @strawberry.field(description="What tax rules call this kind of product; null where the ERP has none.")
    async def tax_code(self, info: Info) -> str | None:
        record = self.record or await info.context.products.load(self.sku)
        return record.tax_code if record else None

    @strawberry.field(
        description="What the ERP itself holds of the product: its name, and the list price in its books' currency as `price.EUR`."
    )
    async def erp_record(self, info: Info) -> RecordCopy | None:
        record = self.record or await info.context.products.load(self.sku)
        if record is None:
            return None
        price = None if record.list_price is None else plain_decimal(record.list_price)
        fields = {"name": record.name, f"price.{record.books_currency}": price}
        system, own_id = instance_of_id("erp", record.id)
        return RecordCopy(
            system=system,
            vendor="tryton",
            external_id=own_id,
            name=record.name,
            fields=[RecordField(name=name, value=value) for name, value in fields.items()],
            read_at=dt.datetime.now(dt.UTC),
        )
