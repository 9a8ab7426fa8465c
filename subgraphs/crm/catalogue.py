"""What the CRM adds to a product: its own copy, where it keeps a catalogue."""

from __future__ import annotations

import datetime as dt

import strawberry

from subgraphs.crm.context import Info
from subgraphs.kit.money import plain_decimal
from subgraphs.kit.record_copy import RecordCopy, RecordField


@strawberry.federation.type(
    keys=["sku"],
    description="Something that is sold; billing owns name and prices, the ERP how its revenue and tax are handled.",
)
class Product:
    """Something sold. The CRM takes every SKU for a product's: billing knows which there are."""

    sku: str

    @classmethod
    def resolve_reference(cls, info: Info, *, sku: str) -> Product:
        """Return the product of a SKU."""
        del info
        return cls(sku=sku)

    @strawberry.field(description="Whether the CRM keeps a catalogue, which then is a copy of billing's.")
    def is_kept_in_crm(self, info: Info) -> bool | None:
        """Whether the CRM keeps a catalogue."""
        return info.context.crm.keeps_products

    @strawberry.field(
        description="What the CRM itself holds of the product: its name, and a price per currency as `price.EUR`; null where it has no record."
    )
    async def crm_record(self, info: Info) -> RecordCopy | None:
        """Return the CRM's copy."""
        found = await info.context.products.load(self.sku)
        if found is None:
            return None
        prices = {f"price.{code}": None if p is None else plain_decimal(p) for code, p in found.prices.items()}
        return RecordCopy(
            system="crm",
            vendor=info.context.crm.vendor_of(found.id),
            external_id=found.id,
            name=found.name,
            fields=[RecordField(name=name, value=value) for name, value in {"name": found.name, **prices}.items()],
            read_at=dt.datetime.now(dt.UTC),
        )
