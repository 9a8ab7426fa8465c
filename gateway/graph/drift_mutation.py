"""Mutations about drift: compare now, accept with a reason, start the workflow that mends."""

from __future__ import annotations

import asyncio
from typing import Annotated

import strawberry

from gateway.errors import GatewayError
from gateway.graph.context import GraphInfo
from gateway.graph.drift import Drift, ReconciliationRun, find_drift, local_drift_id, reconciliation_of
from gateway.graph.global_id import typename_of
from gateway.graph.guards import MAY_OPERATE
from gateway.graph.refusal import refusal, to_graphql_error
from gateway.graph.sighted import require_customer
from gateway.graph.workflow import Workflow
from gateway.graph.workflow_asking import asking_of
from gateway.writes.reconciliation.model import DriftKind, Scope

_ANSWER_S = 1.0
"""Left of the request's time for the answer, after the run was waited for."""
_MAX_REASON = 500


@strawberry.input(description="What to compare; everything by default.")
class RunReconciliationInput:
    """Input of `runReconciliation`."""

    kinds: list[DriftKind] | None = strawberry.field(
        default=None, description="What to compare; all kinds by default, an empty list is refused."
    )
    customer_id: strawberry.ID | None = strawberry.field(
        default=None, description="Global id of the only customer to compare, its contracts included."
    )
    contract_id: strawberry.ID | None = strawberry.field(
        default=None, description="Global id of the only contract to compare; not together with `customerId`."
    )
    sku: str | None = strawberry.field(
        default=None, description="The only product to compare; not together with `customerId` or `contractId`."
    )
    client_mutation_id: str | None = None


@strawberry.type(description="What became of `runReconciliation`.")
class RunReconciliationPayload:
    """The run."""

    run: ReconciliationRun | None = strawberry.field(
        description="The run; where one over everything is under way already, that one."
    )
    client_mutation_id: str | None


@strawberry.input(description="An open drift that may be.")
class AcceptDriftInput:
    """Input of `acceptDrift`."""

    id: strawberry.ID = strawberry.field(
        description="Global id of an open drift; an unknown one is refused with NOT_FOUND, another one with CONFLICT."
    )
    reason: str = strawberry.field(description="Why; 1 to 500 characters, kept with the drift.")
    client_mutation_id: str | None = None


@strawberry.type(description="What became of `acceptDrift`.")
class AcceptDriftPayload:
    """The drift."""

    drift: Drift | None = strawberry.field(description="The drift as it is now.")
    client_mutation_id: str | None


@strawberry.input(description="A drift to be mended by the workflow that its `mendedBy` names.")
class MendDriftInput:
    """Input of `mendDrift`."""

    id: strawberry.ID = strawberry.field(
        description="Global id of a drift; one that is resolved, or for people to mend, is refused with CONFLICT."
    )
    client_mutation_id: str | None = None


@strawberry.type(description="What became of `mendDrift`.")
class MendDriftPayload:
    """The drift and its workflow."""

    drift: Drift | None = strawberry.field(
        description="The drift; it is resolved once the workflow has ended and the systems were compared again."
    )
    workflow: Workflow | None = strawberry.field(description="What was started; its steps say how far it is.")
    client_mutation_id: str | None


@strawberry.type
class DriftMutation:
    """What people do about drift."""

    @strawberry.mutation(
        directives=[MAY_OPERATE],
        description="Compare owners with copies now: customers' fields, contracts' values, what was invoiced, paid and recognised, catalogues.",
    )
    async def run_reconciliation(
        self,
        info: GraphInfo,
        input: RunReconciliationInput,  # noqa: A002 - the argument's name
        wait_ms: Annotated[
            int, strawberry.argument(description="How long to wait for the end before answering with what is known.")
        ] = 0,
    ) -> RunReconciliationPayload | None:
        """Begin a run and wait for it a while."""
        request, desk = info.context.request, reconciliation_of(info)
        key = request.write_keys.get(str(info.path.key))
        scope = _scope(input)
        try:
            await require_customer(info.context, scope.customer)
            if scope.contract is not None and info.context.sight is not None:
                # Its owner says, to the caller, whether there is such a contract.
                await _require_contract(info, scope.contract)
            run = await desk.begin(scope, request.caller, None if key is None else key.key)
            left_s = request.deadline - asyncio.get_running_loop().time() - _ANSWER_S
            run = await desk.wait(run.id, max(0.0, min(wait_ms / 1000, left_s)))
        except GatewayError as error:
            raise to_graphql_error(error) from error
        return RunReconciliationPayload(run=ReconciliationRun.of(run), client_mutation_id=input.client_mutation_id)

    @strawberry.mutation(directives=[MAY_OPERATE], description="Say why systems may disagree in this.")
    async def accept_drift(self, info: GraphInfo, input: AcceptDriftInput) -> AcceptDriftPayload | None:  # noqa: A002 - the argument's name
        """Accept a drift."""
        reason = input.reason.strip()
        if not 0 < len(reason) <= _MAX_REASON:
            raise refusal("BAD_USER_INPUT", f"A reason has 1 to {_MAX_REASON} characters.")
        await _found(info, input.id)
        try:
            drift = await reconciliation_of(info).accept(local_drift_id(input.id), info.context.request.caller, reason)
        except GatewayError as error:
            raise to_graphql_error(error) from error
        return AcceptDriftPayload(drift=Drift.of(drift), client_mutation_id=input.client_mutation_id)

    @strawberry.mutation(
        directives=[MAY_OPERATE], description="Start the workflow that brings the owner's value to the copy."
    )
    async def mend_drift(self, info: GraphInfo, input: MendDriftInput) -> MendDriftPayload | None:  # noqa: A002 - the argument's name
        """Mend a drift."""
        await _found(info, input.id)
        try:
            drift, workflow = await reconciliation_of(info).mend(local_drift_id(input.id), asking_of(info))
        except GatewayError as error:
            raise to_graphql_error(error) from error
        return MendDriftPayload(
            drift=Drift.of(drift), workflow=Workflow.of(workflow), client_mutation_id=input.client_mutation_id
        )


async def _found(info: GraphInfo, drift: str) -> None:
    """Raise NOT_FOUND for a drift that the caller does not see, as for one that never was."""
    if await find_drift(info, drift) is None:
        raise refusal("NOT_FOUND", "There is no such drift.")


async def _require_contract(info: GraphInfo, contract: str) -> None:
    """Raise NOT_FOUND for a contract that its owner hides from the caller."""
    if await info.context.entity_key("Contract", ("id", contract), "number") is None:
        raise GatewayError("NOT_FOUND", "There is no such contract.")


def _scope(given: RunReconciliationInput) -> Scope:
    kinds = tuple(DriftKind) if given.kinds is None else tuple(dict.fromkeys(given.kinds))
    if not kinds:
        raise refusal("BAD_USER_INPUT", "Name a kind of things to compare, or leave `kinds` out.")
    if sum(each is not None for each in (given.customer_id, given.contract_id, given.sku)) > 1:
        raise refusal("BAD_USER_INPUT", "Name a customer, a contract or a product, not several.")
    for name, wanted in (("Customer", given.customer_id), ("Contract", given.contract_id)):
        if wanted is not None and typename_of(wanted) != name:
            raise refusal("BAD_USER_INPUT", f"The id is of another type than {name}.")
    return Scope(kinds=kinds, customer=given.customer_id, contract=given.contract_id, product=given.sku)
