"""Billing's mutations. Each takes one input and answers with the entity as it is afterwards."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import strawberry

from subgraphs.billing.context import Info
from subgraphs.billing.types.contract import Contract
from subgraphs.billing.types.customer import Customer
from subgraphs.billing.types.entitlement import Entitlement
from subgraphs.billing.types.values import CancellationReason
from subgraphs.kit.global_id import encode_global_id, local_id


@strawberry.input
class RecordUsageInput:
    """Use of a metered feature."""

    contract_id: strawberry.ID
    feature: str = strawberry.field(description="Key of a metered feature.")
    quantity: Decimal = strawberry.field(description="Above 0; seats: how many are in use.")
    occurred_at: dt.datetime | None = strawberry.field(
        default=None, description="When it was used, at most 35 days ago; now by default."
    )
    client_mutation_id: str | None = None


@strawberry.type
class RecordUsagePayload:
    """The use is counted."""

    entitlement: Entitlement | None
    contract: Contract | None
    client_mutation_id: str | None


@strawberry.input
class GrantEntitlementInput:
    """A right outside of contracts, in addition to what they give."""

    customer_id: strawberry.ID
    feature: str
    limit: int | None = strawberry.field(default=None, description="Without one the feature is unlimited.")
    valid_until: dt.date | None = strawberry.field(default=None, description="Last day; without one until revoked.")
    reason: str | None = None
    client_mutation_id: str | None = None


@strawberry.type
class GrantEntitlementPayload:
    """The right is given."""

    entitlement: Entitlement | None
    customer: Customer | None
    client_mutation_id: str | None


@strawberry.input
class PauseContractInput:
    """A contract to pause: nothing is collected meanwhile, and its features rest."""

    contract_id: strawberry.ID
    version: str
    resumes_on: dt.date | None = strawberry.field(default=None, description="Day to resume by itself.")
    client_mutation_id: str | None = None


@strawberry.type
class PauseContractPayload:
    """The contract is paused."""

    contract: Contract | None
    client_mutation_id: str | None


@strawberry.input
class ResumeContractInput:
    """A paused contract to resume."""

    contract_id: strawberry.ID
    version: str
    client_mutation_id: str | None = None


@strawberry.type
class ResumeContractPayload:
    """The contract goes on."""

    contract: Contract | None
    client_mutation_id: str | None


@strawberry.input
class ScheduleCancellationInput:
    """A contract to end."""

    contract_id: strawberry.ID
    version: str
    effective_on: dt.date | None = strawberry.field(
        default=None, description="First day without the contract; by default the day after its term."
    )
    reason: CancellationReason | None = None
    comment: str | None = None
    client_mutation_id: str | None = None


@strawberry.type
class ScheduleCancellationPayload:
    """The contract will end."""

    contract: Contract | None
    client_mutation_id: str | None


@strawberry.input
class SetAutoRenewInput:
    """Whether another term follows by itself. True also withdraws a planned cancellation."""

    contract_id: strawberry.ID
    version: str
    auto_renews: bool
    client_mutation_id: str | None = None


@strawberry.type
class SetAutoRenewPayload:
    """The renewal is set."""

    contract: Contract | None
    client_mutation_id: str | None


async def _contract(info: Info, number: str) -> Contract | None:
    info.context.contracts.clear(number)
    record = await info.context.contracts.load(number)
    return None if record is None else Contract.of(record)


async def _entitlement(info: Info, local: str) -> Entitlement | None:
    info.context.held.clear(local.partition(".")[0])
    return await Entitlement.resolve_reference(info, id=encode_global_id("Entitlement", local))


@strawberry.type
class Mutation:
    """Billing's mutations."""

    @strawberry.mutation(description="Counts use of a metered feature.")
    async def record_usage(self, info: Info, input: RecordUsageInput) -> RecordUsagePayload | None:  # noqa: A002 - Relay's name
        """Count use."""
        local = await info.context.writes.record_usage(
            input.contract_id, input.feature, input.quantity, input.occurred_at, input.client_mutation_id
        )
        contract = await info.context.contracts.load(local_id(input.contract_id, "Contract"))
        return RecordUsagePayload(
            entitlement=await _entitlement(info, local),
            contract=None if contract is None else Contract.of(contract),
            client_mutation_id=input.client_mutation_id,
        )

    @strawberry.mutation(description="Gives a customer a right outside of contracts.")
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

    @strawberry.mutation(description="Pauses a contract.")
    async def pause_contract(self, info: Info, input: PauseContractInput) -> PauseContractPayload | None:  # noqa: A002 - Relay's name
        """Pause a contract."""
        number = await info.context.writes.pause(
            input.contract_id, input.version, input.resumes_on, input.client_mutation_id
        )
        return PauseContractPayload(contract=await _contract(info, number), client_mutation_id=input.client_mutation_id)

    @strawberry.mutation(description="Resumes a paused contract.")
    async def resume_contract(self, info: Info, input: ResumeContractInput) -> ResumeContractPayload | None:  # noqa: A002 - Relay's name
        """Resume a contract."""
        number = await info.context.writes.resume(input.contract_id, input.version, input.client_mutation_id)
        return ResumeContractPayload(
            contract=await _contract(info, number), client_mutation_id=input.client_mutation_id
        )

    @strawberry.mutation(description="Ends a contract on a day, or with its term.")
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

    @strawberry.mutation(description="Lets a contract renew by itself, or end with its term.")
    async def set_auto_renew(self, info: Info, input: SetAutoRenewInput) -> SetAutoRenewPayload | None:  # noqa: A002 - Relay's name
        """Set whether a contract renews."""
        number = await info.context.writes.set_auto_renew(
            input.contract_id, input.version, input.auto_renews, input.client_mutation_id
        )
        return SetAutoRenewPayload(contract=await _contract(info, number), client_mutation_id=input.client_mutation_id)
