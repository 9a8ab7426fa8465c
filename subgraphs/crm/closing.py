"""The steps of workflows that the CRM takes: owned here, hidden from the public graph, each with its way back.

The mutation that undoes a step names that step's idempotency key in `undoes`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import strawberry

from subgraphs.crm import records, terms
from subgraphs.crm.context import CrmContext, Info
from subgraphs.crm.port import CompanyChange, DealChange
from subgraphs.kit.global_id import local_id
from subgraphs.kit.system_error import ConflictError, NotFoundError, Outcome, StaleVersionError
from subgraphs.kit.workflow_step import own_key

Work = Callable[[], Awaitable[Any]]


@strawberry.federation.input(inaccessible=True)
class WinOpportunityInput:
    """An opportunity to be closed as won."""

    id: strawberry.ID
    version: str


@strawberry.federation.input(inaccessible=True)
class UndoWinInput:
    """An opportunity to be opened again."""

    id: strawberry.ID
    stage: terms.OpportunityStage
    undoes: str


@strawberry.federation.input(inaccessible=True)
class TellContractInput:
    """The contract that an opportunity led to."""

    id: strawberry.ID
    contract_number: str
    crm_ref: strawberry.ID
    reference: str


@strawberry.federation.input(inaccessible=True)
class UndoTellContractInput:
    """A contract that came to nothing."""

    id: strawberry.ID
    contract_number: str
    crm_ref: strawberry.ID
    status: terms.CustomerStatus | None = None
    undoes: str


@strawberry.federation.type(inaccessible=True)
class ClosingPayload:
    """The opportunity as it is now."""

    id: strawberry.ID
    stage: terms.OpportunityStage | None
    version: str


@strawberry.type
class ClosingMutation:
    """Steps."""

    @strawberry.federation.mutation(inaccessible=True, description="Close an opportunity as won.")
    async def win_opportunity(self, info: Info, input: WinOpportunityInput) -> ClosingPayload | None:  # noqa: A002 - the argument's name
        """Close an opportunity as won, if it still is as it was read."""
        context, deal_id = info.context, local_id(input.id, "Opportunity")

        async def write() -> bool:
            deal = await deal_now(context, deal_id)
            if deal.version != input.version:
                current = {"version": deal.version, "stage": None if deal.stage is None else str(deal.stage)}
                raise StaleVersionError("The object has changed since its version was read.", current=current)
            if deal.stage is terms.OpportunityStage.LOST:
                raise ConflictError("The opportunity is lost.", outcome=Outcome.NOT_APPLIED, retryable=False)
            await context.crm.change_deal(deal_id, DealChange(stage=terms.OpportunityStage.WON), version=input.version)
            return True

        async def look_up() -> bool | None:
            return True if (await deal_now(context, deal_id)).stage is terms.OpportunityStage.WON else None

        arguments = {"write": ["winOpportunity", deal_id], "version": input.version}
        await context.writes.run(own_key(), arguments, write, look_up=look_up)
        return closing_payload(input.id, await deal_now(context, deal_id))

    @strawberry.federation.mutation(inaccessible=True, description="Open a won opportunity again.")
    async def undo_win(self, info: Info, input: UndoWinInput) -> ClosingPayload | None:  # noqa: A002 - the argument's name
        """Put the stage back, unless somebody has moved the opportunity on since."""
        context, deal_id = info.context, local_id(input.id, "Opportunity")

        async def write() -> bool:
            deal = await deal_now(context, deal_id)
            if deal.stage is terms.OpportunityStage.WON and deal.stage is not input.stage:
                await context.crm.change_deal(deal_id, DealChange(stage=input.stage), version=None)
            return True

        await undo_step(context, "undoWin", deal_id, input.undoes, write)
        return closing_payload(input.id, await deal_now(context, deal_id))

    @strawberry.federation.mutation(inaccessible=True, description="Tell the CRM what an opportunity led to.")
    async def tell_contract(self, info: Info, input: TellContractInput) -> ClosingPayload | None:  # noqa: A002 - the argument's name
        """Write the contract's number into the opportunity, and that the company is a customer."""
        context, deal_id = info.context, local_id(input.id, "Opportunity")
        company_id = str(input.crm_ref).split("+", maxsplit=1)[0]

        async def write() -> bool:
            await context.crm.change_deal(deal_id, DealChange(contract_number=input.contract_number), version=None)
            company = await _company(context, company_id)
            change = CompanyChange(
                status=terms.CustomerStatus.ACTIVE if company.status is not terms.CustomerStatus.ACTIVE else None,
                reference=input.reference if company.reference is None else None,
            )
            if change.status is not None or change.reference is not None:
                await context.crm.change_company(company_id, change, version=None)
            return True

        arguments = {"write": ["tellContract", deal_id], "contract": input.contract_number}
        await context.writes.run(own_key(), arguments, write)
        return closing_payload(input.id, await deal_now(context, deal_id))

    @strawberry.federation.mutation(inaccessible=True, description="Forget a contract that came to nothing.")
    async def undo_tell_contract(self, info: Info, input: UndoTellContractInput) -> ClosingPayload | None:  # noqa: A002 - the argument's name
        """Take the number out of the opportunity, and put the company's status back."""
        context, deal_id = info.context, local_id(input.id, "Opportunity")
        company_id = str(input.crm_ref).split("+", maxsplit=1)[0]

        async def write() -> bool:
            deal = await deal_now(context, deal_id)
            if deal.contract_number == input.contract_number:
                await context.crm.change_deal(deal_id, DealChange(contract_number=""), version=None)
                company = await _company(context, company_id)
                if input.status is not None and company.status is terms.CustomerStatus.ACTIVE:
                    await context.crm.change_company(company_id, CompanyChange(status=input.status), version=None)
            return True

        await undo_step(context, "undoTellContract", deal_id, input.undoes, write)
        return closing_payload(input.id, await deal_now(context, deal_id))


async def undo_step(context: CrmContext, name: str, deal_id: str, undoes: str, write: Work) -> None:
    """Take a step back once; from now on a late try of it is refused."""
    await context.writes.run(own_key(), {"write": [name, deal_id], "undoes": undoes}, write, undoes=undoes)


async def deal_now(context: CrmContext, deal_id: str) -> records.Deal:
    """Return the deal as HubSpot has it now: nothing here is read from a loader."""
    deal = (await context.crm.deals.read([deal_id])).get(deal_id)
    if deal is None:
        raise NotFoundError("There is no such opportunity in the CRM.", outcome=Outcome.NOT_APPLIED)
    return deal


async def _company(context: CrmContext, company_id: str) -> records.Company:
    company = (await context.crm.companies.read([company_id])).get(company_id)
    if company is None:
        raise NotFoundError("There is no such company in the CRM.", outcome=Outcome.NOT_APPLIED)
    return company


def closing_payload(global_id: strawberry.ID, deal: records.Deal) -> ClosingPayload:
    """Return what the steps answer with."""
    return ClosingPayload(id=global_id, stage=deal.stage, version=deal.version)
