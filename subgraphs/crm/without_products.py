"""A CRM whose catalogue, if it has one, is not a copy of billing's: nothing is read there, and nothing is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from subgraphs.crm.records import CatalogueProduct
from subgraphs.kit.product_copy import ProductCopy
from subgraphs.kit.system_error import NotFoundError, Outcome


class WithoutProducts:
    """`ProductCopies` of such a CRM."""

    keeps_products = False

    async def products(self, skus: Sequence[str]) -> Mapping[str, CatalogueProduct]:
        """Return nothing."""
        del skus
        return {}

    async def put_product(self, product: ProductCopy) -> tuple[str, bool]:
        """Raise NotFoundError."""
        del product
        raise NotFoundError("The CRM keeps no products.", outcome=Outcome.NOT_APPLIED)

    async def take_back_product(self, product: ProductCopy) -> None:
        """There is nothing to take back."""
        del product
