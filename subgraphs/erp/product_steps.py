"""The step of workflows that brings what billing sells to the ERP's catalogue, and its way back.

Each field is told with the value it had: one that somebody has changed meanwhile is left alone, or refused.
"""

from __future__ import annotations

from typing import Any

import strawberry

from subgraphs.erp.context import Info
from subgraphs.erp.orders import UndonePayload, mark_of, own_key, step, undo_step
from subgraphs.erp.port import ProductCopy
from subgraphs.kit.system_error import BadUserInputError, Outcome


@strawberry.federation.input(inaccessible=True)
class ErpProductFieldInput:
    """A field of the product, with the value it had and the one it is to have."""

    name: str
    before: str | None = None
    after: str | None = None


@strawberry.federation.input(inaccessible=True)
class PutErpProductInput:
    """A product as the ERP is to have it."""

    sku: str
    is_new: bool
    """Whether the ERP does not have it."""
    fields: list[ErpProductFieldInput]
    revenue_rule: str | None = None
    tax_code: str | None = None


@strawberry.federation.type(inaccessible=True)
class PutErpProductPayload:
    """The product's record."""

    external_id: strawberry.ID
    was_created: bool


@strawberry.federation.input(inaccessible=True)
class UndoPutErpProductInput:
    """The same product, to be put back where nobody has changed it since."""

    sku: str
    is_new: bool
    fields: list[ErpProductFieldInput]
    undoes: str


@strawberry.type
class ProductMutation:
    """Steps."""

    @strawberry.federation.mutation(inaccessible=True, description="Bring what billing sells to the ERP's catalogue.")
    async def put_erp_product(self, info: Info, input: PutErpProductInput) -> PutErpProductPayload | None:  # noqa: A002 - the argument's name
        """Write the fields, or make the product."""
        context = info.context
        if not input.sku.strip() or not input.fields or (input.is_new and not (input.revenue_rule and input.tax_code)):
            told = "A product has a SKU and fields, and a new one a revenue rule and a tax code."
            raise BadUserInputError(told, outcome=Outcome.NOT_APPLIED)
        copy = _copy(input, mark_of(own_key()))

        async def write() -> Any:
            return list(await context.orders.put_product(copy))

        arguments = {"sku": input.sku, "fields": dict(copy.after)}
        product, was_created = await step(context, "putErpProduct", arguments, write)
        return PutErpProductPayload(external_id=strawberry.ID(product), was_created=was_created)

    @strawberry.federation.mutation(inaccessible=True, description="Put the ERP's catalogue back as it was.")
    async def undo_put_erp_product(self, info: Info, input: UndoPutErpProductInput) -> UndonePayload | None:  # noqa: A002 - the argument's name
        """Put the fields back, or take the product out of use."""
        context = info.context
        copy = _copy(input, mark_of(input.undoes))

        async def write() -> Any:
            await context.orders.take_back_product(copy)
            return True

        return await undo_step(context, "undoPutErpProduct", input.undoes, write)


def _copy(given: PutErpProductInput | UndoPutErpProductInput, mark: str) -> ProductCopy:
    return ProductCopy(
        sku=given.sku,
        before=None if given.is_new else {field.name: field.before for field in given.fields},
        after={field.name: field.after for field in given.fields},
        revenue_rule=given.revenue_rule if isinstance(given, PutErpProductInput) else None,
        tax_code=given.tax_code if isinstance(given, PutErpProductInput) else None,
        mark=mark,
    )
