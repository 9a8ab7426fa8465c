"""The step of workflows that makes a company known to the CRM, and its way back.

A company is known by its business key: what an earlier try made is found by it.
"""

from __future__ import annotations

from typing import Any

import strawberry

from subgraphs.crm import terms
from subgraphs.crm.context import Info
from subgraphs.crm.port import NewCompany
from subgraphs.kit.system_error import BadUserInputError, Outcome
from subgraphs.kit.workflow_step import own_key


@strawberry.federation.input(inaccessible=True)
class EnsureCompanyInput:
    """A customer to be known to the CRM."""

    reference: str
    name: str
    domain: str | None = None
    street: str | None = None
    city: str | None = None
    country: str | None = None
    segment: terms.Segment | None = None
    status: terms.CustomerStatus | None = None


@strawberry.federation.type(inaccessible=True)
class EnsureCompanyPayload:
    """The company's record."""

    crm_ref: strawberry.ID
    was_created: bool


@strawberry.federation.input(inaccessible=True)
class UndoCompanyInput:
    """A company that a workflow made and does not need anymore."""

    reference: str
    undoes: str


@strawberry.federation.type(inaccessible=True)
class UndoneInCrmPayload:
    """Nothing of the step is left."""

    is_undone: bool


@strawberry.type
class CompanyMutation:
    """Steps."""

    @strawberry.federation.mutation(inaccessible=True, description="Find or make the CRM's record of a customer.")
    async def ensure_company(self, info: Info, input: EnsureCompanyInput) -> EnsureCompanyPayload | None:  # noqa: A002 - the argument's name
        """Find or make the company."""
        context = info.context
        if not input.reference.strip() or not input.name.strip():
            raise BadUserInputError("A customer has a reference and a name.", outcome=Outcome.NOT_APPLIED)
        company = NewCompany(
            reference=input.reference,
            name=input.name,
            domain=input.domain,
            street=input.street,
            city=input.city,
            country=input.country,
            segment=input.segment,
            status=input.status,
        )

        async def find() -> list[Any] | None:
            found = await context.crm.find_company(input.reference)
            return None if found is None else [found, True]

        async def write() -> list[Any]:
            known = await context.crm.find_company(input.reference)
            return [known, False] if known is not None else [await context.crm.create_company(company), True]

        arguments = {"write": ["ensureCompany", input.reference], "name": input.name}
        company_id, was_created = await context.writes.run(own_key(), arguments, write, look_up=find)
        return EnsureCompanyPayload(crm_ref=strawberry.ID(company_id), was_created=was_created)

    @strawberry.federation.mutation(inaccessible=True, description="Take away a company that a workflow made.")
    async def undo_company(self, info: Info, input: UndoCompanyInput) -> UndoneInCrmPayload | None:  # noqa: A002 - the argument's name
        """Archive the company, unless it has deals by now."""
        context = info.context

        async def write() -> bool:
            found = await context.crm.find_company(input.reference)
            if found is not None and not (await context.crm.deals_of([found])).get(found):
                await context.crm.archive_company(found)
            return True

        arguments = {"write": ["undoCompany", input.reference], "undoes": input.undoes}
        await context.writes.run(own_key(), arguments, write, undoes=input.undoes)
        return UndoneInCrmPayload(is_undone=True)
