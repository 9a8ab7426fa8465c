"""The CRM's writes: version checked, repeatable with the same key, answered with the record as it is afterwards."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Awaitable, Callable, Iterable
from decimal import Decimal
from typing import Any, TypeVar

import strawberry

from subgraphs.crm import records, terms
from subgraphs.crm.closing import ClosingMutation
from subgraphs.crm.company_steps import CompanyMutation
from subgraphs.crm.context import CrmContext, Info
from subgraphs.crm.contract_steps import ContractStepMutation
from subgraphs.crm.port import CompanyChange, DealChange
from subgraphs.crm.product_steps import ProductMutation
from subgraphs.crm.types import Contract, Customer, Opportunity
from subgraphs.kit.current_request import current_request
from subgraphs.kit.global_id import encode_global_id, local_id
from subgraphs.kit.minor_unit import digits_in_words, is_payable
from subgraphs.kit.system_error import (
    BadUserInputError,
    NotFoundError,
    Outcome,
    StaleVersionError,
    VendorConflictError,
)
from subgraphs.kit.write_effects import after_write

_MAX_NAME = 200
RecordT = TypeVar("RecordT", records.Company, records.Deal)
ChangeT = TypeVar("ChangeT", CompanyChange, DealChange)


@strawberry.input(
    description="New values of a customer's profile in the CRM; what is left out or null stays, and changing nothing is refused."
)
class UpdateCustomerProfileInput:
    """New values of a customer's profile."""

    customer_id: strawberry.ID = strawberry.field(
        description="Global id of the customer; one that the CRM has no record of is refused."
    )
    version: str = strawberry.field(
        description="The customer's `version` as it was read; a stale one is refused with CONFLICT."
    )
    name: str | None = strawberry.field(
        default=None, description="What sales is to call the customer, 1 to 200 characters."
    )
    segment: terms.Segment | None = strawberry.field(default=None, description="The size class to put the customer in.")
    owner_id: strawberry.ID | None = strawberry.field(
        default=None, description="Global id of the account owner who is to look after the customer; it has to exist."
    )
    industry: str | None = strawberry.field(
        default=None, description="Line of business, 1 to 200 characters; the CRM may refuse one that it does not know."
    )
    client_mutation_id: str | None = None


@strawberry.type(description="What `updateCustomerProfile` did.")
class UpdateCustomerProfilePayload:
    """The customer as it is now."""

    customer: Customer | None = strawberry.field(description="The customer as it is after the change.")
    client_mutation_id: str | None


@strawberry.input(description="New values of a deal; what is left out or null stays, and changing nothing is refused.")
class UpdateOpportunityInput:
    """New values of an opportunity."""

    id: strawberry.ID = strawberry.field(description="Global id of the deal.")
    version: str = strawberry.field(
        description="The deal's `version` as it was read; a stale one is refused with CONFLICT."
    )
    name: str | None = strawberry.field(
        default=None, description="What sales is to call the deal, 1 to 200 characters."
    )
    stage: terms.OpportunityStage | None = strawberry.field(default=None, description="How far it has come.")
    amount: Decimal | None = strawberry.field(
        default=None,
        description="What it is worth, in the deal's own currency; not negative, with at most that one's decimals, two of EUR.",
    )
    close_on: dt.date | None = strawberry.field(default=None, description="Day on which it closed or is expected to.")
    owner_id: strawberry.ID | None = strawberry.field(
        default=None, description="Global id of the account owner who is to sell it; it has to exist."
    )
    client_mutation_id: str | None = None


@strawberry.type(description="What `updateOpportunity` did.")
class UpdateOpportunityPayload:
    """The opportunity as it is now."""

    opportunity: Opportunity | None = strawberry.field(description="The deal as it is after the change.")
    client_mutation_id: str | None


@strawberry.input(
    description="Where the renewal of a contract stands; it is kept on the deal that the contract came from."
)
class SetRenewalStageInput:
    """Where the renewal of a contract stands."""

    contract_number: str = strawberry.field(
        description="Number of the contract, such as `CON-2025-0001`; one that no deal in the CRM names is refused."
    )
    stage: terms.RenewalStage = strawberry.field(description="How far the renewal has come.")
    risk: terms.RenewalRisk | None = strawberry.field(
        default=None, description="How likely it is to fail; left out, the last judgement stays."
    )
    version: str | None = strawberry.field(
        default=None,
        description="The contract's `renewalVersion` as it was read; a stale one is refused, left out it is not checked.",
    )
    client_mutation_id: str | None = None


@strawberry.type(description="What `setRenewalStage` did.")
class SetRenewalStagePayload:
    """The contract whose renewal it is."""

    contract: Contract | None = strawberry.field(
        description="The contract whose renewal it is, as it is after the change."
    )
    client_mutation_id: str | None


@strawberry.type
class Mutation(ClosingMutation, CompanyMutation, ContractStepMutation, ProductMutation):
    """What can be changed in the CRM itself."""

    @strawberry.mutation
    async def update_customer_profile(
        self,
        info: Info,
        input: UpdateCustomerProfileInput,  # noqa: A002 - the argument's name
    ) -> UpdateCustomerProfilePayload | None:
        """Change a customer's profile in the CRM, which owns name, segment, owner and industry."""
        context = info.context
        _check_name(input.name)
        _check_name(input.industry)
        change = CompanyChange(
            name=input.name,
            segment=input.segment,
            owner_id=_owner_id(input.owner_id),
            industry=input.industry,
        )
        local_id(input.customer_id, "Customer")

        async def read() -> records.Company | None:
            context.companies.clear_all()
            ids = await context.crosswalk.records_of(input.customer_id)
            found = [company for company in await context.companies.load_many(list(ids)) if company is not None]
            # Of several records, the one whose version was read is the one that was shown; once it is written, it says so.
            return min(found, key=lambda each: (each.version != input.version, not _has(each, change)), default=None)

        async def write(company: records.Company) -> None:
            await context.crm.change_company(company.id, change, version=input.version)

        await _write(context, ("updateCustomerProfile", input.customer_id), change, input.version, read, write)
        context.companies.clear_all()
        with after_write():
            ids = await context.crosswalk.records_of(input.customer_id)
        customer = Customer(crm_ref=strawberry.ID("+".join(ids)))
        return UpdateCustomerProfilePayload(customer=customer, client_mutation_id=input.client_mutation_id)

    @strawberry.mutation
    async def update_opportunity(self, info: Info, input: UpdateOpportunityInput) -> UpdateOpportunityPayload | None:  # noqa: A002 - the argument's name
        """Change a deal in the CRM, which owns it."""
        context = info.context
        _check_name(input.name)
        deal_id = local_id(input.id, "Opportunity")
        change = DealChange(
            name=input.name,
            stage=input.stage,
            amount=input.amount,
            close_on=input.close_on,
            owner_id=_owner_id(input.owner_id),
        )

        async def read() -> records.Deal | None:
            return await _deal(context, deal_id)

        async def write(deal: records.Deal) -> None:
            currency = deal.currency or ""
            if input.amount is not None and (input.amount < 0 or not is_payable(input.amount, currency)):
                # Rounding it silently would write another amount than the one that was sent.
                told = f"`amount` is not negative and has {digits_in_words(currency)}."
                raise BadUserInputError(told, outcome=Outcome.NOT_APPLIED)
            await context.crm.change_deal(deal_id, change, version=input.version)

        await _write(context, ("updateOpportunity", deal_id), change, input.version, read, write)
        context.deals.clear(deal_id)
        with after_write():
            deal = await context.deals.load(deal_id)
        return UpdateOpportunityPayload(
            opportunity=Opportunity.of(deal) if deal else None, client_mutation_id=input.client_mutation_id
        )

    @strawberry.mutation
    async def set_renewal_stage(self, info: Info, input: SetRenewalStageInput) -> SetRenewalStagePayload | None:  # noqa: A002 - the argument's name
        """Say how far sales has come with renewing a contract; kept in the CRM, on the deal that the contract came from."""
        context, number = info.context, input.contract_number
        change = DealChange(renewal_stage=input.stage, renewal_risk=input.risk)

        async def read() -> records.Deal | None:
            origin = await context.origin_of(number)
            if origin is None:
                raise NotFoundError("The CRM has no deal for this contract.", outcome=Outcome.NOT_APPLIED)
            return await _deal(context, origin.id)

        async def write(deal: records.Deal) -> None:
            await context.crm.change_deal(deal.id, change, version=input.version)

        await _write(context, ("setRenewalStage", number), change, input.version, read, write)
        context.deals.clear_all()
        with after_write():
            origin = await context.origin_of(number)
            deal = None if origin is None else await context.deals.load(origin.id)
        # The search behind contract numbers may lag behind the write; the deal itself does not.
        context.deals_of_contracts.clear(number)
        context.deals_of_contracts.prime(number, (deal,) if deal else ())
        return SetRenewalStagePayload(contract=Contract(number=number), client_mutation_id=input.client_mutation_id)


async def _write(
    context: CrmContext,
    name: tuple[str, str],
    change: ChangeT,
    version: str | None,
    read: Callable[[], Awaitable[RecordT | None]],
    write: Callable[[RecordT], Awaitable[None]],
) -> None:
    """Write once per key, if the record still has the version that was read.

    Nothing is read before the key is looked at: what can't be read says nothing of an earlier try. Where the system has no
    conditional update, HubSpot is one, a change made between our check and our write is not noticed.
    """
    wanted = _values(change)
    if not wanted:
        raise BadUserInputError("The update changes nothing.", outcome=Outcome.NOT_APPLIED)

    async def checked_write() -> bool:
        record = await read()
        if record is None:
            raise NotFoundError("There is no such object in the CRM.", outcome=Outcome.NOT_APPLIED)
        await _check_owner(context, change.owner_id)
        if version is not None and record.version != version:
            raise stale(record, wanted)
        try:
            await write(record)
        except VendorConflictError as error:
            changed = await read()
            raise (error if changed is None else stale(changed, wanted)) from error
        return True

    async def look_up() -> bool | None:
        record = await read()
        return True if record is not None and _has(record, change) else None

    current = current_request()
    arguments = {"write": list(name), "version": version, **{field: str(value) for field, value in wanted.items()}}
    await context.writes.run(current.idempotency_key if current else None, arguments, checked_write, look_up=look_up)


def _values(change: CompanyChange | DealChange) -> dict[str, Any]:
    return {field: value for field, value in dataclasses.asdict(change).items() if value is not None}


def _has(record: records.Company | records.Deal, change: CompanyChange | DealChange) -> bool:
    """Whether a record is as a change would have it."""
    return all(getattr(record, field) == value for field, value in _values(change).items())


def stale(record: records.Company | records.Deal, wanted: Iterable[str]) -> StaleVersionError:
    """Return the refusal of a write whose version is stale, with what the record says now of the fields to be written."""
    current: dict[str, str | bool | None] = {"version": record.version}
    for field in wanted:
        value = getattr(record, field)
        first, *rest = field.split("_")
        name = first + "".join(word.title() for word in rest)
        if field == "owner_id" and value is not None:
            value = encode_global_id("AccountOwner", value)
        current[name] = None if value is None else str(value)
    return StaleVersionError("The object has changed since its version was read.", current=current)


async def _deal(context: CrmContext, deal_id: str) -> records.Deal | None:
    """Return the deal as it is now."""
    return (await context.crm.deals.read([deal_id])).get(deal_id)


def _owner_id(owner: str | None) -> str | None:
    return None if owner is None else local_id(owner, "AccountOwner")


async def _check_owner(context: CrmContext, owner_id: str | None) -> None:
    if owner_id is not None and await context.owners.load(owner_id) is None:
        raise BadUserInputError("There is no such account owner.", outcome=Outcome.NOT_APPLIED)


def _check_name(text: str | None) -> None:
    if text is not None and not 0 < len(text.strip()) <= _MAX_NAME:
        raise BadUserInputError(f"A name has 1 to {_MAX_NAME} characters.", outcome=Outcome.NOT_APPLIED)
