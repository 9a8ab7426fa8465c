"""The step of workflows that brings what billing sells to another system's catalogue: its inputs, and what the adaptor gets.

Each field is told with the value it had: one that somebody has changed meanwhile is left alone, or refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import strawberry


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductCopy:
    """What a system is to say of a product that billing owns."""

    sku: str
    before: Mapping[str, str | None] | None
    """Field → what the system said when the change was decided on: `name`, `price.<currency>`; None for a product that it
    did not have."""
    after: Mapping[str, str | None]
    revenue_rule: str | None = None
    """Of a new product, where the system has such rules, as an ERP does."""
    tax_code: str | None = None
    mark: str
    """Our external reference, by which it is known that it was made here."""


@strawberry.federation.input(inaccessible=True)
class ProductFieldInput:
    """A field of the product, with the value it had and the one it is to have."""

    name: str
    before: str | None = None
    after: str | None = None


@strawberry.federation.input(inaccessible=True)
class PutProductInput:
    """A product as a system is to have it; each system's mutation has an input of its own name."""

    sku: str
    is_new: bool
    """Whether the system does not have it."""
    fields: list[ProductFieldInput]

    def is_whole(self) -> bool:
        """Whether it names a product, and what is to be said of it."""
        return bool(self.sku.strip() and self.fields)

    def copy(self, mark: str, *, revenue_rule: str | None = None, tax_code: str | None = None) -> ProductCopy:
        """Return what the adaptor gets."""
        return ProductCopy(
            sku=self.sku,
            before=None if self.is_new else {field.name: field.before for field in self.fields},
            after={field.name: field.after for field in self.fields},
            revenue_rule=revenue_rule,
            tax_code=tax_code,
            mark=mark,
        )


@strawberry.federation.type(inaccessible=True, shareable=True)
class PutProductPayload:
    """The product's record."""

    external_id: strawberry.ID
    was_created: bool
