"""The gateway's own writes: workflows over several systems, and what people decide about them."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Mapping, Sequence
from enum import Enum
from typing import Annotated, Any

import strawberry

from gateway.errors import GatewayError
from gateway.graph.context import GraphInfo
from gateway.graph.entities import Contract, Invoice, Opportunity
from gateway.graph.global_id import typename_of
from gateway.graph.guards import MAY_CLOSE, MAY_OPERATE
from gateway.graph.refusal import refusal, to_graphql_error
from gateway.graph.workflow import Workflow, desk_of, local_workflow_id, unfinished
from gateway.writes.workflows import definition
from gateway.writes.workflows.desk import Asking
from gateway.writes.workflows.model import WorkflowRecord, WorkflowStatus

_ANSWER_S = 1.0
"""Left of the request's time for the answer, after the workflow was waited for."""
_MAX_NOTE = 1_000
_MAX_ITEMS = 20
_KEY = "An idempotency key, in place of the header: the same one with the same input gives the first answer again."
_Id = Annotated[strawberry.ID, strawberry.argument(description="The workflow's global id.")]
_Note = Annotated[str, strawberry.argument(description="What was done, or why; kept with the workflow.")]


DryRun = Annotated[bool, strawberry.argument(description="Only tell what would be written; nothing is.")]
WaitMs = Annotated[
    int, strawberry.argument(description="How long to wait for the end before answering with what is known.")
]


@strawberry.type(description="A field that a planned write would change.")
class PlannedChange:
    """An entry of `changes`."""

    field: str = strawberry.field(description="What would change, in the words of the graph.")
    before: str | None = strawberry.field(name="from", description="Its value now; null where there is none.")
    after: str | None = strawberry.field(name="to", description="Its value afterwards.")


@strawberry.type(description="A write that a workflow would make.")
class PlannedWrite:
    """An entry of `plan`."""

    step: str = strawberry.field(description="Name of the workflow's step.")
    system: str = strawberry.field(description="The system that would be written to, such as `erp`.")
    action: str = strawberry.field(description="The mutation that would be sent to it.")
    changes: list[PlannedChange] = strawberry.field(description="Fields that would get another value.")

    @classmethod
    def of(cls, write: definition.PlannedWrite) -> PlannedWrite:
        """Return the value of a planned write."""
        changes = [PlannedChange(field=name, before=old, after=new) for name, old, new in write.changes]
        return cls(step=write.step, system=write.system, action=write.action, changes=changes)


@strawberry.enum(description="How often a price is charged.")
class ContractBillingInterval(Enum):
    """The value of `interval`."""

    MONTH = strawberry.enum_value("MONTH", description="Every month, ahead.")
    YEAR = strawberry.enum_value("YEAR", description="Every year, ahead.")


@strawberry.input(description="A product and how much of it.")
class SoldItemInput:
    """An entry of `items`."""

    sku: str = strawberry.field(description="The product, as billing and the ERP both know it.")
    quantity: int = strawberry.field(description="How many units; above 0.")
    interval: ContractBillingInterval | None = strawberry.field(
        default=None, description="Which of the product's list prices; the monthly one by default."
    )


@strawberry.input(description="A won opportunity, and the contract that it leads to.")
class CloseOpportunityInput:
    """Input of `closeOpportunity`."""

    opportunity_id: strawberry.ID = strawberry.field(description="The opportunity to be won.")
    version: str = strawberry.field(description="The opportunity's `version` as it was read.")
    items: list[SoldItemInput] = strawberry.field(description="What the contract consists of, at list prices.")
    starts_on: dt.date | None = strawberry.field(
        default=None, description="First day of the contract; today by default."
    )
    term_months: int = strawberry.field(default=12, description="Length of the first term, in months.")
    notice_days: int = strawberry.field(default=30, description="Days of notice before the term ends.")
    days_until_due: int = strawberry.field(default=30, description="Days that the customer has to pay the first bill.")
    currency: str | None = strawberry.field(
        default=None, description="ISO 4217 code of the prices; the opportunity's currency by default."
    )
    client_mutation_id: str | None = strawberry.field(default=None, description=_KEY)


@strawberry.type(description="The workflow, and what it came to once it is completed.")
class CloseOpportunityPayload:
    """Answer of `closeOpportunity`."""

    workflow: Workflow | None = strawberry.field(description="Null in a dry run.")
    plan: list[PlannedWrite] | None = strawberry.field(description="What would be written; only in a dry run.")
    client_mutation_id: str | None = strawberry.field(description="As it was sent.")
    opportunity: Opportunity | None = strawberry.field(description="The opportunity as the CRM has it now.")

    @strawberry.field(description="The contract; an error SAGA_… says why there is none.")
    def contract(self) -> Contract | None:
        """Return what billing made."""
        result = _result(self.workflow)
        return None if result is None else Contract(known_number=result["contract"])

    @strawberry.field(description="The posted invoice; an error SAGA_… says why there is none.")
    def invoice(self) -> Invoice | None:
        """Return what the ERP posted."""
        result = _result(self.workflow)
        return None if result is None or result["invoice"] is None else Invoice(known_number=result["invoice"])


@strawberry.type(description="The workflow as it is now.")
class WorkflowDecisionPayload:
    """Answer of what people decide."""

    workflow: Workflow | None = strawberry.field(description="The workflow after the decision.")


@strawberry.type
class WorkflowMutation:
    """Workflows, and decisions about them."""

    @strawberry.mutation(
        directives=[MAY_CLOSE],
        description="Carry a won opportunity through to contract, invoice and revenue in all systems.",
    )
    async def close_opportunity(
        self,
        info: GraphInfo,
        input: Annotated[  # noqa: A002 - the argument's name
            CloseOpportunityInput, strawberry.argument(description="The opportunity and the contract.")
        ],
        dry_run: DryRun = False,
        wait_ms: WaitMs = 10_000,
    ) -> CloseOpportunityPayload | None:
        if typename_of(input.opportunity_id) != "Opportunity":
            raise refusal("BAD_USER_INPUT", "The id is of another type than Opportunity.")
        given = _closing(input)
        record, plan = await _begin(info, "quote-to-cash", given, dry_run=dry_run, wait_ms=wait_ms)
        return CloseOpportunityPayload(
            workflow=None if record is None else Workflow.of(record),
            plan=None if plan is None else [PlannedWrite.of(write) for write in plan],
            client_mutation_id=input.client_mutation_id,
            opportunity=Opportunity(id=input.opportunity_id),
        )

    @strawberry.mutation(
        directives=[MAY_OPERATE], description="Let a workflow that needs attention go on, in the direction it had."
    )
    async def retry_workflow(self, info: GraphInfo, id: _Id) -> WorkflowDecisionPayload | None:  # noqa: A002 - the argument's name
        return await _decided(desk_of(info).retry(local_workflow_id(id), info.context.request.caller))

    @strawberry.mutation(directives=[MAY_OPERATE], description="Undo a workflow, even one that is completed.")
    async def compensate_workflow(self, info: GraphInfo, id: _Id) -> WorkflowDecisionPayload | None:  # noqa: A002 - the argument's name
        return await _decided(desk_of(info).compensate(local_workflow_id(id), info.context.request.caller))

    @strawberry.mutation(
        directives=[MAY_OPERATE], description="Close a workflow that needs attention and was put right by hand."
    )
    async def resolve_exception(
        self,
        info: GraphInfo,
        id: _Id,  # noqa: A002 - the argument's name
        note: _Note,
    ) -> WorkflowDecisionPayload | None:
        return await _decided(
            desk_of(info).resolve(local_workflow_id(id), info.context.request.caller, _checked_note(note))
        )

    @strawberry.mutation(directives=[MAY_OPERATE], description="Approve a workflow that somebody else asked for.")
    async def approve_workflow(self, info: GraphInfo, id: _Id) -> WorkflowDecisionPayload | None:  # noqa: A002 - the argument's name
        return await _decided(desk_of(info).approve(local_workflow_id(id), info.context.request.caller))

    @strawberry.mutation(
        directives=[MAY_OPERATE], description="Refuse a workflow that waits for approval; nothing of it is done."
    )
    async def reject_workflow(
        self,
        info: GraphInfo,
        id: _Id,  # noqa: A002 - the argument's name
        note: _Note,
    ) -> WorkflowDecisionPayload | None:
        return await _decided(
            desk_of(info).reject(local_workflow_id(id), info.context.request.caller, _checked_note(note))
        )


async def _begin(
    info: GraphInfo, kind: str, given: Mapping[str, Any], *, dry_run: bool, wait_ms: int
) -> tuple[WorkflowRecord | None, Sequence[definition.PlannedWrite] | None]:
    """Begin a workflow and wait for it a while, or plan it."""
    request, desk = info.context.request, desk_of(info)
    name = str(info.path.key)
    key = request.write_keys.get(name)
    asking = Asking(
        caller=request.caller,
        correlation_id=request.correlation_id,
        field=name,
        key=None if key is None else key.key,
    )
    try:
        if dry_run:
            return None, await desk.plan(kind, given, asking)
        record = await desk.begin(kind, given, asking)
        left_s = request.deadline - asyncio.get_running_loop().time() - _ANSWER_S
        return await desk.wait(record.id, max(0.0, min(wait_ms / 1000, left_s))), None
    except GatewayError as error:
        raise to_graphql_error(error) from error


async def _decided(deciding: Awaitable[WorkflowRecord]) -> WorkflowDecisionPayload:
    try:
        return WorkflowDecisionPayload(workflow=Workflow.of(await deciding))
    except GatewayError as error:
        raise to_graphql_error(error) from error


def _closing(given: CloseOpportunityInput) -> dict[str, Any]:
    if not 0 < len(given.items) <= _MAX_ITEMS or any(not 0 < item.quantity <= 1_000_000 for item in given.items):
        raise refusal("BAD_USER_INPUT", f"A contract has 1 to {_MAX_ITEMS} items, each of a quantity above 0.")
    if not 0 < given.term_months <= 120:
        raise refusal("BAD_USER_INPUT", "A term has 1 to 120 months.")
    if not 0 <= given.notice_days <= 365 or not 0 < given.days_until_due <= 365:
        raise refusal("BAD_USER_INPUT", "`noticeDays` and `daysUntilDue` are at most 365 days.")
    return {
        "opportunityId": str(given.opportunity_id),
        "version": given.version,
        "items": [
            {
                "sku": item.sku,
                "quantity": item.quantity,
                "interval": None if item.interval is None else item.interval.value,
            }
            for item in given.items
        ],
        "startsOn": (given.starts_on or dt.datetime.now(dt.UTC).date()).isoformat(),
        "termMonths": given.term_months,
        "noticeDays": given.notice_days,
        "daysUntilDue": given.days_until_due,
        "currency": given.currency,
    }


def _result(workflow: Workflow | None) -> Any:
    """Return what a completed workflow came to; None in a dry run. Raises SAGA_…."""
    if workflow is None:
        return None
    if workflow.record.status is not WorkflowStatus.COMPLETED:
        raise unfinished(workflow.record)
    return workflow.record.result


def _checked_note(note: str) -> str:
    if not 0 < len(note.strip()) <= _MAX_NOTE:
        raise refusal("BAD_USER_INPUT", f"A note has 1 to {_MAX_NOTE} characters.")
    return note.strip()
