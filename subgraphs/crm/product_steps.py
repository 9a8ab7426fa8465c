"""The step of workflows that brings what billing sells to the CRM's catalogue, and its way back.

Each field is told with the value it had: one that somebody has changed meanwhile is left alone, or refused.
"""

from __future__ import annotations

import hashlib
from typing import Any

import strawberry

from subgraphs.crm.closing import own_key
from subgraphs.crm.company_steps import UndoneInCrmPayload
from subgraphs.crm.context import Info
from subgraphs.crm.port import ProductCopy
from subgraphs.kit.system_error import BadUserInputError, Outcome


@strawberry.federation.input(inaccessible=True)
class CrmProductFieldInput:
    """A field of the product, with the value it had and the one it is to have."""

    name: str
    before: str | None = None
    after: str | None = None


@strawberry.federation.input(inaccessible=True)
class PutCrmProductInput:
    """A product as the CRM is to have it."""

    sku: str
    is_new: bool
    """Whether the CRM does not have it."""
    fields: list[CrmProductFieldInput]


@strawberry.federation.type(inaccessible=True)
class PutCrmProductPayload:
    """The product's record."""

    external_id: strawberry.ID
    was_created: bool


@strawberry.federation.input(inaccessible=True)
class UndoPutCrmProductInput:
    """The same product, to be put back where nobody has changed it since."""

    sku: str
    is_new: bool
    fields: list[CrmProductFieldInput]
    undoes: str


@strawberry.type
class ProductMutation:
    """Steps."""

    @strawberry.federation.mutation(inaccessible=True, description="Bring what billing sells to the CRM's catalogue.")
    async def put_crm_product(self, info: Info, input: PutCrmProductInput) -> PutCrmProductPayload | None:  # noqa: A002 - the argument's name
        """Write the fields, or make the product."""
        context = info.context
        if not input.sku.strip() or not input.fields:
            raise BadUserInputError("A product has a SKU and fields.", outcome=Outcome.NOT_APPLIED)
        copy = _copy(input, own_key())

        async def write() -> list[Any]:
            return list(await context.crm.put_product(copy))

        arguments = {"write": ["putCrmProduct", input.sku], "fields": dict(copy.after)}
        product, was_created = await context.writes.run(own_key(), arguments, write)
        return PutCrmProductPayload(external_id=strawberry.ID(product), was_created=was_created)

    @strawberry.federation.mutation(inaccessible=True, description="Put the CRM's catalogue back as it was.")
    async def undo_put_crm_product(self, info: Info, input: UndoPutCrmProductInput) -> UndoneInCrmPayload | None:  # noqa: A002 - the argument's name
        """Put the fields back, or take the product away."""
        context = info.context
        copy = _copy(input, input.undoes)

        async def write() -> bool:
            await context.crm.take_back_product(copy)
            return True

        arguments = {"write": ["undoPutCrmProduct", input.sku], "undoes": input.undoes}
        await context.writes.run(own_key(), arguments, write, undoes=input.undoes)
        return UndoneInCrmPayload(is_undone=True)


def _copy(given: PutCrmProductInput | UndoPutCrmProductInput, key: str) -> ProductCopy:
    return ProductCopy(
        sku=given.sku,
        before=None if given.is_new else {field.name: field.before for field in given.fields},
        after={field.name: field.after for field in given.fields},
        mark=f"concord-{hashlib.sha256(key.encode()).hexdigest()[:24]}",
    )
