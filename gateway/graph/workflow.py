"""`Workflow` in the graph: where a write over several systems stands, step by step, and what is on record of it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from enum import StrEnum

import strawberry
from strawberry.federation.schema_directives import Key
from strawberry.federation.types import FieldSet

from gateway.errors import GatewayError, Outcome
from gateway.graph.context import GraphInfo
from gateway.graph.entities import Contract, Customer
from gateway.graph.global_id import local_id
from gateway.graph.node import Node
from gateway.graph.refusal import to_graphql_error
from gateway.graph.sighted import seen_workflows
from gateway.writes.workflows.announcements import workflow_global_id
from gateway.writes.workflows.desk import WorkflowDesk
from gateway.writes.workflows.model import StepError, StepRecord, StepStatus, WorkflowRecord, WorkflowStatus

_STATUS: dict[StrEnum, str] = {
    WorkflowStatus.WAITING_APPROVAL: "Somebody else than who asked has to approve it; nothing was done yet.",
    WorkflowStatus.SCHEDULED: "It waits for the day on which it takes effect; nothing was done yet, and `compensateWorkflow` calls it off.",
    WorkflowStatus.RUNNING: "It is on its way to the end, or waits for a system that is down.",
    WorkflowStatus.COMPENSATING: "It can't be finished, or was taken back: what was done is being undone.",
    WorkflowStatus.NEEDS_ATTENTION: "It stopped, and its owner has to retry, compensate or resolve it.",
    WorkflowStatus.COMPLETED: "Every step took effect, once.",
    WorkflowStatus.COMPENSATED: "Nothing of it is left in any system.",
    WorkflowStatus.REJECTED: "Approval was refused; nothing was done.",
    WorkflowStatus.RESOLVED: "A person put right what it left behind, and said how in `note`.",
}
_STEP_STATUS: dict[StrEnum, str] = {
    StepStatus.PENDING: "Its turn has not come.",
    StepStatus.RUNNING: "It is being tried.",
    StepStatus.DONE: "It took effect.",
    StepStatus.FAILED: "It was refused, and did not take effect.",
    StepStatus.UNKNOWN: "It was given up without knowing whether it took effect; undoing it finds out.",
    StepStatus.COMPENSATING: "It is being undone.",
    StepStatus.COMPENSATED: "Nothing of it is left.",
    StepStatus.COMPENSATION_FAILED: "It could not be undone; a person has to look.",
}
strawberry.enum(WorkflowStatus, description="Where a workflow stands.")
strawberry.enum(StepStatus, name="WorkflowStepStatus", description="Where a step stands.")
for _members, _said in ((WorkflowStatus, _STATUS), (StepStatus, _STEP_STATUS)):
    # Enums of another room: they know nothing of the graph, so their sentences stand here.
    for _value in getattr(_members, "__strawberry_definition__").values:  # noqa: B009 - strawberry adds it
        _value.description = _said[_members(_value.value)]


@strawberry.type(name="WorkflowError", description="Why a step, or a workflow, did not go on.")
class WorkflowFailure:
    """The value of `error`."""

    code: str = strawberry.field(description="As in errors: `SYSTEM_TIMEOUT`.")
    message: str = strawberry.field(description="What happened, safe to show to anybody.")
    system: str = strawberry.field(description="The system that failed or refused, such as `erp`.")

    @classmethod
    def of(cls, error: StepError | None, info: GraphInfo, told: object) -> WorkflowFailure | None:
        """Return the value of an error, if there was one; a system may quote what it was `told`."""
        if error is None:
            return None
        return cls(code=error.code, message=info.context.hidden.sentence(error.message, told), system=error.system)


@strawberry.type(description="One write of a workflow.")
class WorkflowStep:
    """An entry of `steps`."""

    name: str = strawberry.field(description="What it does, unique within the workflow: `contract`.")
    system: str = strawberry.field(description="The system that it writes to: `erp`.")
    status: StepStatus = strawberry.field(description="How far it has come, forward or back.")
    attempts: int = strawberry.field(description="How often it was tried, going forward.")
    error: WorkflowFailure | None = strawberry.field(description="Why the last try that failed did.")
    compensated: bool = strawberry.field(description="Whether it was taken back.")
    started_at: datetime | None = strawberry.field(description="When it was tried first; null before.")
    finished_at: datetime | None = strawberry.field(description="When it took effect; null before.")

    @classmethod
    def of(cls, record: StepRecord, info: GraphInfo, told: object) -> WorkflowStep:
        """Return the value of a record; `told` is the workflow's input."""
        return cls(
            name=record.name,
            system=record.system,
            status=record.status,
            attempts=record.attempts,
            error=WorkflowFailure.of(record.error, info, told),
            compensated=record.status is StepStatus.COMPENSATED,
            started_at=instant(record.started_at),
            finished_at=instant(record.finished_at),
        )


@strawberry.type(description="What is on record: who asked what, which system answered what, when.")
class WorkflowEvidence:
    """An entry of `evidence`."""

    sequence: int = strawberry.field(description="Its place in the record of all workflows.")
    at: str = strawberry.field(description="When it was written, RFC 3339 in UTC.")
    step: str | None = strawberry.field(description="The step it belongs to; null for what a person asked or decided.")
    actor: str = strawberry.field(description="Who asked, or in whose name the step was carried out.")
    action: str = strawberry.field(description="The mutation that was sent, or the decision.")
    system: str = strawberry.field(description="The system that answered, such as `billing`.")
    question: str = strawberry.field(description="What was sent, as JSON.")
    answer: str = strawberry.field(description="What the system said, as JSON.")
    hash: str = strawberry.field(description="Of this entry and the hash of the one before.")


async def _steps(self: Workflow, info: GraphInfo) -> list[WorkflowStep]:
    return [WorkflowStep.of(step, info, self.record.input) for step in await info.context.steps_of(self.record.id)]


def _error(self: Workflow, info: GraphInfo) -> WorkflowFailure | None:
    return WorkflowFailure.of(self.record.error, info, self.record.input)


def _effective_on(self: Workflow, info: GraphInfo) -> date | None:
    due_at = None if info.context.workflows is None else info.context.workflows.due_at(self.record)
    return None if due_at is None else datetime.fromtimestamp(due_at, UTC).date()


def _note(self: Workflow, info: GraphInfo) -> str | None:
    note = self.record.note
    return None if note is None else info.context.hidden.sentence(note, self.record.input)


async def _evidence(self: Workflow, info: GraphInfo) -> list[WorkflowEvidence] | None:
    try:
        entries = await desk_of(info).evidence(self.record.id)
    except GatewayError as error:
        raise to_graphql_error(error) from error
    return [
        WorkflowEvidence(
            sequence=entry.seq,
            at=entry.at,
            step=entry.step,
            actor=entry.actor,
            action=entry.action,
            system=entry.system,
            question=info.context.hidden.json(entry.question),
            answer=info.context.hidden.sentence(info.context.hidden.json(entry.answer), self.record.input),
            hash=entry.hash,
        )
        for entry in entries
    ]


@strawberry.federation.type(
    keys=[Key(fields=FieldSet("id"), resolvable=True)], description="A write over several systems: finished, or undone."
)
class Workflow(Node):
    """A workflow as it was read."""

    kind: str = strawberry.field(description="Such as `quote-to-cash`.")
    status: WorkflowStatus = strawberry.field(
        description="Whether it is running, finished, undone or waits for somebody."
    )
    steps: list[WorkflowStep] = strawberry.field(
        resolver=_steps, description="Its writes, in the order in which they are made."
    )
    error: WorkflowFailure | None = strawberry.field(
        resolver=_error, description="Why it turned back, or waits for a person."
    )
    customer: Customer | None = strawberry.field(description="The customer it is about, once that is known.")
    contract: Contract | None = strawberry.field(description="The contract it made or changes, once there is one.")
    started_at: datetime = strawberry.field(description="When it was asked for.")
    effective_on: date | None = strawberry.field(
        resolver=_effective_on,
        description="The day, in UTC, on which it is carried out; null where it was asked for at once.",
    )
    finished_at: datetime | None = strawberry.field(
        description="When it was completed, undone or settled; null before."
    )
    requested_by: str | None = strawberry.field(description="Who asked for it; null when nobody in particular.")
    approved_by: str | None = strawberry.field(description="Who approved it; null where nobody had to.")
    owner: str | None = strawberry.field(description="The team that has to look at it, where it needs attention.")
    note: str | None = strawberry.field(resolver=_note, description="What the person said who decided.")
    evidence: list[WorkflowEvidence] | None = strawberry.field(
        resolver=_evidence, description="What is on record of it, oldest first."
    )
    record: strawberry.Private[WorkflowRecord]

    @classmethod
    def of(cls, record: WorkflowRecord) -> Workflow:
        """Return the value of a record."""
        return cls(
            id=strawberry.ID(workflow_global_id(record.id)),
            kind=record.kind,
            status=record.status,
            customer=Customer(id=strawberry.ID(record.customer)) if record.customer else None,
            contract=Contract(known_number=record.contract) if record.contract else None,
            started_at=datetime.fromtimestamp(record.started_at, UTC),
            finished_at=instant(record.finished_at),
            requested_by=record.requested_by,
            approved_by=record.approved_by,
            owner=record.owner,
            record=record,
        )

    @classmethod
    async def resolve_reference(cls, info: GraphInfo, id: strawberry.ID) -> Workflow | None:  # noqa: A002 - the key's name
        """Return the workflow of a global id."""
        return await find_workflow(info, id)


@strawberry.type(description="Whether the record of all workflows is unbroken: no entry changed, taken out or put in.")
class WorkflowEvidenceCheck:
    """The value of `workflowEvidence`."""

    entries: int = strawberry.field(description="How many entries fit, from the first on.")
    broken_at: int | None = strawberry.field(description="Sequence of the first that does not; null where all do.")
    head: str = strawberry.field(
        description="Hash of the last entry that fits; kept elsewhere, it shows that later entries were cut off."
    )


async def check_evidence(info: GraphInfo) -> WorkflowEvidenceCheck | None:
    """Check the chain. Raises STORE_UNAVAILABLE."""
    try:
        checked = await desk_of(info).verify()
    except GatewayError as error:
        raise to_graphql_error(error) from error
    return WorkflowEvidenceCheck(entries=checked.entries, broken_at=checked.broken_at, head=checked.head)


def instant(seconds: float | None) -> datetime | None:
    """Return seconds since 1970 as an instant."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def desk_of(info: GraphInfo) -> WorkflowDesk:
    """Return where workflows are asked for. Raises STORE_UNAVAILABLE where the gateway carries none."""
    if info.context.workflows is None:
        raise to_graphql_error(
            GatewayError("STORE_UNAVAILABLE", "This gateway carries no workflows; `[workflows]` configures them.")
        )
    return info.context.workflows


async def find_workflow(info: GraphInfo, global_id: str) -> Workflow | None:
    """Return the workflow of a global id, or None. Raises BAD_USER_INPUT, STORE_UNAVAILABLE."""
    try:
        record = await desk_of(info).find(local_workflow_id(global_id))
        seen = [] if record is None else await seen_workflows(info.context, [record])
    except GatewayError as error:
        raise to_graphql_error(error) from error
    return Workflow.of(seen[0]) if seen else None


def local_workflow_id(global_id: str) -> str:
    """Return the workflow's own id. Raises BAD_USER_INPUT for the id of something else."""
    return local_id(global_id, "Workflow")


def unfinished(record: WorkflowRecord) -> Exception:
    """Return the error of a field that has no value because the workflow is not completed."""
    match record.status:
        case WorkflowStatus.COMPENSATED | WorkflowStatus.COMPENSATING | WorkflowStatus.REJECTED:
            code, outcome = "SAGA_COMPENSATED", Outcome.COMPENSATED
            if record.status is WorkflowStatus.COMPENSATING:
                code, outcome = "SAGA_IN_PROGRESS", Outcome.IN_PROGRESS
        case WorkflowStatus.NEEDS_ATTENTION | WorkflowStatus.RESOLVED:
            code, outcome = "SAGA_NEEDS_ATTENTION", Outcome.UNKNOWN
        case _:
            code, outcome = "SAGA_IN_PROGRESS", Outcome.IN_PROGRESS
    told = {"outcome": outcome.value, "workflow": workflow_global_id(record.id)}
    if record.error is not None:
        told["system"] = record.error.system  # whose fault it is that there is none
    return to_graphql_error(GatewayError(code), told)
