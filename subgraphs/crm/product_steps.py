"""The step of workflows that brings what billing sells to the CRM's catalogue, and its way back."""

from __future__ import annotations

from typing import Any

import strawberry

from subgraphs.crm.company_steps import UndoneInCrmPayload
from subgraphs.crm.context import Info
from subgraphs.kit.product_copy import PutProductInput, PutProductPayload
from subgraphs.kit.system_error import BadUserInputError, Outcome
from subgraphs.kit.workflow_step import mark_of, own_key


@strawberry.federation.input(inaccessible=True)
class PutCrmProductInput(PutProductInput):
    """A product as the CRM is to have it."""


@strawberry.federation.input(inaccessible=True)
class UndoPutCrmProductInput(PutProductInput):
    """The same product, to be put back where nobody has changed it since."""

    undoes: str


@strawberry.type
class ProductMutation:
    """Steps."""

    @strawberry.federation.mutation(inaccessible=True, description="Bring what billing sells to the CRM's catalogue.")
    async def put_crm_product(self, info: Info, input: PutCrmProductInput) -> PutProductPayload | None:  # noqa: A002 - the argument's name
        """Write the fields, or make the product."""
        context = info.context
        if not input.is_whole():
            raise BadUserInputError("A product has a SKU and fields.", outcome=Outcome.NOT_APPLIED)
        copy = input.copy(mark_of(own_key()))

        async def write() -> list[Any]:
            return list(await context.crm.put_product(copy))

        arguments = {"write": ["putCrmProduct", input.sku], "fields": dict(copy.after)}
        product, was_created = await context.writes.run(own_key(), arguments, write)
        return PutProductPayload(external_id=strawberry.ID(product), was_created=was_created)

    @strawberry.federation.mutation(inaccessible=True, description="Put the CRM's catalogue back as it was.")
    async def undo_put_crm_product(self, info: Info, input: UndoPutCrmProductInput) -> UndoneInCrmPayload | None:  # noqa: A002 - the argument's name
        """Put the fields back, or take the product away."""
        context = info.context
        copy = input.copy(mark_of(input.undoes))

        async def write() -> bool:
            await context.crm.take_back_product(copy)
            return True

        arguments = {"write": ["undoPutCrmProduct", input.sku], "undoes": input.undoes}
        await context.writes.run(own_key(), arguments, write, undoes=input.undoes)
        return UndoneInCrmPayload(is_undone=True)
