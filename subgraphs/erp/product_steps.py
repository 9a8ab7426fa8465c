"""The step of workflows that brings what billing sells to the ERP's catalogue, and its way back."""

from __future__ import annotations

from typing import Any

import strawberry

from subgraphs.erp.context import Info
from subgraphs.erp.orders import UndonePayload, step, undo_step
from subgraphs.kit.product_copy import PutProductInput, PutProductPayload
from subgraphs.kit.system_error import BadUserInputError, Outcome
from subgraphs.kit.workflow_step import mark_of, own_key


@strawberry.federation.input(inaccessible=True)
class PutErpProductInput(PutProductInput):
    """A product as the ERP is to have it."""

    revenue_rule: str | None = None
    tax_code: str | None = None


@strawberry.federation.input(inaccessible=True)
class UndoPutErpProductInput(PutProductInput):
    """The same product, to be put back where nobody has changed it since."""

    undoes: str


@strawberry.type
class ProductMutation:
    """Steps."""

    @strawberry.federation.mutation(inaccessible=True, description="Bring what billing sells to the ERP's catalogue.")
    async def put_erp_product(self, info: Info, input: PutErpProductInput) -> PutProductPayload | None:  # noqa: A002 - the argument's name
        """Write the fields, or make the product."""
        context = info.context
        if not input.is_whole() or (input.is_new and not (input.revenue_rule and input.tax_code)):
            told = "A product has a SKU and fields, and a new one a revenue rule and a tax code."
            raise BadUserInputError(told, outcome=Outcome.NOT_APPLIED)
        copy = input.copy(mark_of(own_key()), revenue_rule=input.revenue_rule, tax_code=input.tax_code)

        async def write() -> Any:
            return list(await context.orders.put_product(copy))

        arguments = {"sku": input.sku, "fields": dict(copy.after)}
        product, was_created = await step(context, "putErpProduct", arguments, write)
        return PutProductPayload(external_id=strawberry.ID(product), was_created=was_created)

    @strawberry.federation.mutation(inaccessible=True, description="Put the ERP's catalogue back as it was.")
    async def undo_put_erp_product(self, info: Info, input: UndoPutErpProductInput) -> UndonePayload | None:  # noqa: A002 - the argument's name
        """Put the fields back, or take the product out of use."""
        context = info.context
        copy = input.copy(mark_of(input.undoes))

        async def write() -> Any:
            await context.orders.take_back_product(copy)
            return True

        return await undo_step(context, "undoPutErpProduct", input.undoes, write)
