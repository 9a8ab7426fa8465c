"""Billing's mutations. Each takes one input and answers with the entity as it is afterwards."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import strawberry

from subgraphs.billing.agreements import AgreementMutation
from subgraphs.billing.amendments import AmendmentMutation
from subgraphs.billing.context import Info
from subgraphs.billing.customer_steps import CustomerStepMutation
from subgraphs.billing.terms import TermMutation
from subgraphs.billing.types.contract import Contract
from subgraphs.billing.types.customer import Customer
from subgraphs.billing.types.entitlement import Entitlement
from subgraphs.billing.types.values import CancellationReason
from subgraphs.kit.global_id import encode_global_id, local_id
from subgraphs.kit.write_effects import after_write


@strawberry.input(description="Use of a metered feature.")
class RecordUsageInput:
    """Use of a metered feature."""

    contract_id: strawberry.ID = strawberry.field(
        description="Global id of a contract that runs; one that is over, or only a draft, is refused with CONFLICT."
    )
    feature: str = strawberry.field(description="Key of a metered feature that the customer has a right to.")
    quantity: Decimal = strawberry.field(
        description="How much was used, above 0 with at most six decimals; for seats and the like, how many are in use."
    )
    occurred_at: dt.datetime | None = strawberry.field(
        default=None, description="When it was used, at most 35 days ago and not ahead; now by default."
    )
    client_mutation_id: str | None = None


@strawberry.type(description="What `recordUsage` did.")
class RecordUsagePayload:
    """The use is counted."""

    entitlement: Entitlement | None = strawberry.field(description="The right with the use counted.")
    contract: Contract | None = strawberry.field(description="The contract that it was used under.")
    client_mutation_id: str | None


@strawberry.input(description="A right outside of contracts, in addition to what they give.")
class GrantEntitlementInput:
    """A right outside of contracts, in addition to what they give."""

    customer_id: strawberry.ID = strawberry.field(
        description="Global id of the customer; one that billing has no record of is refused with NOT_FOUND."
    )
    feature: str = strawberry.field(description="Key of the feature; an unknown one is refused.")
    limit: int | None = strawberry.field(
        default=None,
        description="How much may be used in a month, above 0 and at most a billion; left out, the feature is unlimited.",
    )
    valid_until: dt.date | None = strawberry.field(
        default=None, description="Last day of the right, today or later; left out, it holds until revoked."
    )
    reason: str | None = strawberry.field(default=None, description="Why it is given, kept with the grant.")
    client_mutation_id: str | None = None


@strawberry.type(description="What `grantEntitlement` did.")
class GrantEntitlementPayload:
    """The right is given."""

    entitlement: Entitlement | None = strawberry.field(
        description="The customer's whole right to the feature, with the grant."
    )
    customer: Customer | None = strawberry.field(description="The customer who was given it.")
    client_mutation_id: str | None


@strawberry.input(description="A contract to pause: nothing is collected meanwhile, and its features rest.")
class PauseContractInput:
    """A contract to pause: nothing is collected meanwhile, and its features rest."""

    contract_id: strawberry.ID = strawberry.field(
        description="Global id of an active contract; any other state is refused with CONFLICT."
    )
    version: str = strawberry.field(
        description="The contract's `version` as it was read; a stale one is refused with CONFLICT."
    )
    resumes_on: dt.date | None = strawberry.field(
        default=None,
        description="Day on which to resume by itself, tomorrow or later; left out, until somebody resumes it.",
    )
    client_mutation_id: str | None = None


@strawberry.type(description="What `pauseContract` did.")
class PauseContractPayload:
    """The contract is paused."""

    contract: Contract | None = strawberry.field(description="The contract as it is after the pause began.")
    client_mutation_id: str | None


@strawberry.input(description="A paused contract to resume.")
class ResumeContractInput:
    """A paused contract to resume."""

    contract_id: strawberry.ID = strawberry.field(
        description="Global id of a paused contract; any other state is refused with CONFLICT."
    )
    version: str = strawberry.field(
        description="The contract's `version` as it was read; a stale one is refused with CONFLICT."
    )
    client_mutation_id: str | None = None


@strawberry.type(description="What `resumeContract` did.")
class ResumeContractPayload:
    """The contract goes on."""

    contract: Contract | None = strawberry.field(description="The contract, active again.")
    client_mutation_id: str | None


@strawberry.input(description="A contract that is to end.")
class ScheduleCancellationInput:
    """A contract to end."""

    contract_id: strawberry.ID = strawberry.field(
        description="Global id of a contract that runs; one that is over, or only a draft, is refused with CONFLICT."
    )
    version: str = strawberry.field(
        description="The contract's `version` as it was read; a stale one is refused with CONFLICT."
    )
    effective_on: dt.date | None = strawberry.field(
        default=None,
        description="First day without the contract, tomorrow or later; left out, the day after its term, which it must have then.",
    )
    reason: CancellationReason | None = strawberry.field(default=None, description="Why the customer leaves.")
    comment: str | None = strawberry.field(
        default=None, description="What the customer said about it; at most 500 characters."
    )
    client_mutation_id: str | None = None


@strawberry.type(description="What `scheduleCancellation` did.")
class ScheduleCancellationPayload:
    """The contract will end."""

    contract: Contract | None = strawberry.field(description="The contract with its planned end.")
    client_mutation_id: str | None


@strawberry.input(description="Whether another term follows by itself. True also withdraws a planned cancellation.")
class SetAutoRenewInput:
    """Whether another term follows by itself. True also withdraws a planned cancellation."""

    contract_id: strawberry.ID = strawberry.field(
        description="Global id of a contract that runs and has an agreed term; any other is refused."
    )
    version: str = strawberry.field(
        description="The contract's `version` as it was read; a stale one is refused with CONFLICT."
    )
    auto_renews: bool = strawberry.field(
        description="True: another term follows; false: the contract ends with its term."
    )
    client_mutation_id: str | None = None


@strawberry.type(description="What `setAutoRenew` did.")
class SetAutoRenewPayload:
    """The renewal is set."""

    contract: Contract | None = strawberry.field(description="The contract as it is after the change.")
    client_mutation_id: str | None


async def _contract(info: Info, number: str) -> Contract | None:
    info.context.contracts.clear(number)
    with after_write():
        record = await info.context.contracts.load(number)
    return None if record is None else Contract.of(record)


async def _entitlement(info: Info, local: str) -> Entitlement | None:
    info.context.held.clear(local.partition(".")[0])
    with after_write():
        return await Entitlement.resolve_reference(info, id=encode_global_id("Entitlement", local))


@strawberry.type
class Mutation(AgreementMutation, AmendmentMutation, CustomerStepMutation, TermMutation):
    """Billing's mutations."""

    @strawberry.mutation(
        description="Count use of a metered feature, so that it is charged and counts against the limit."
    )
    async def record_usage(self, info: Info, input: RecordUsageInput) -> RecordUsagePayload | None:  # noqa: A002 - Relay's name
        """Count use."""
        local = await info.context.writes.record_usage(
            input.contract_id, input.feature, input.quantity, input.occurred_at, input.client_mutation_id
        )
        return RecordUsagePayload(
            entitlement=await _entitlement(info, local),
            contract=await _contract(info, local_id(input.contract_id, "Contract")),
            client_mutation_id=input.client_mutation_id,
        )

    @strawberry.mutation(description="Give a customer a right to a feature outside of contracts.")
    async def grant_entitlement(self, info: Info, input: GrantEntitlementInput) -> GrantEntitlementPayload | None:  # noqa: A002 - Relay's name
        """Give a right."""
        local = await info.context.writes.grant(
            input.customer_id, input.feature, input.limit, input.valid_until, input.reason, input.client_mutation_id
        )
        return GrantEntitlementPayload(
            entitlement=await _entitlement(info, local),
            customer=Customer(billing_ref=strawberry.ID(local.partition(".")[0])),
            client_mutation_id=input.client_mutation_id,
        )

    @strawberry.mutation(
        description="Pause an active contract: nothing is collected, and its features rest until it resumes."
    )
    async def pause_contract(self, info: Info, input: PauseContractInput) -> PauseContractPayload | None:  # noqa: A002 - Relay's name
        """Pause a contract."""
        number = await info.context.writes.pause(
            input.contract_id, input.version, input.resumes_on, input.client_mutation_id
        )
        return PauseContractPayload(contract=await _contract(info, number), client_mutation_id=input.client_mutation_id)

    @strawberry.mutation(description="Resume a paused contract.")
    async def resume_contract(self, info: Info, input: ResumeContractInput) -> ResumeContractPayload | None:  # noqa: A002 - Relay's name
        """Resume a contract."""
        number = await info.context.writes.resume(input.contract_id, input.version, input.client_mutation_id)
        return ResumeContractPayload(
            contract=await _contract(info, number), client_mutation_id=input.client_mutation_id
        )

    @strawberry.mutation(description="End a contract on a day, or with its term.")
    async def schedule_cancellation(
        self,
        info: Info,
        input: ScheduleCancellationInput,  # noqa: A002 - Relay's name
    ) -> ScheduleCancellationPayload | None:
        """End a contract."""
        number = await info.context.writes.schedule_cancellation(
            input.contract_id,
            input.version,
            input.effective_on,
            input.reason,
            input.comment,
            input.client_mutation_id,
        )
        return ScheduleCancellationPayload(
            contract=await _contract(info, number), client_mutation_id=input.client_mutation_id
        )

    @strawberry.mutation(description="Let a contract renew by itself, or end with its term.")
    async def set_auto_renew(self, info: Info, input: SetAutoRenewInput) -> SetAutoRenewPayload | None:  # noqa: A002 - Relay's name
        """Set whether a contract renews."""
        number = await info.context.writes.set_auto_renew(
            input.contract_id, input.version, input.auto_renews, input.client_mutation_id
        )
        return SetAutoRenewPayload(contract=await _contract(info, number), client_mutation_id=input.client_mutation_id)
