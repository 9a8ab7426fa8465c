"""What every mutation that begins a workflow has in common: dry run, waiting, the key, and what a plan looks like."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

import strawberry

from gateway.access.classified import Hidden
from gateway.access.kept_caller import caller_key
from gateway.errors import GatewayError
from gateway.graph.context import GraphInfo
from gateway.graph.refusal import to_graphql_error
from gateway.graph.workflow import Workflow, desk_of, unfinished
from gateway.writes.workflows import definition
from gateway.writes.workflows.desk import Asking
from gateway.writes.workflows.model import WorkflowRecord, WorkflowStatus

_ANSWER_S = 1.0
"""Left of the request's time for the answer, after the workflow was waited for."""
KEY = "An idempotency key, in place of the header: the same one with the same input gives the first answer again."
"""Describes `clientMutationId`."""

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
    def of(cls, write: definition.PlannedWrite, hidden: Hidden) -> PlannedWrite:
        """Return the value of a planned write."""
        changes = [
            PlannedChange(field=name, before=hidden.value(name, old), after=hidden.value(name, new))
            for name, old, new in write.changes
        ]
        return cls(step=write.step, system=write.system, action=write.action, changes=changes)


@strawberry.type
class WorkflowPayload:
    """What every mutation that begins a workflow answers with; each adds what it came to."""

    workflow: Workflow | None = strawberry.field(description="The writes, step by step; null in a dry run.")
    plan: list[PlannedWrite] | None = strawberry.field(description="What would be written; only in a dry run.")
    client_mutation_id: str | None = strawberry.field(description="As it was sent.")

    @classmethod
    async def begun(
        cls,
        info: GraphInfo,
        kind: str,
        given: Mapping[str, Any],
        client_mutation_id: str | None,
        waits: tuple[bool, int],
        **more: Any,
    ) -> Self:
        """Begin the workflow, or plan it; `waits` are the arguments `dryRun` and `waitMs`, `more` the payload's other fields."""
        dry_run, wait_ms = waits
        record, plan = await begin_workflow(info, kind, given, dry_run=dry_run, wait_ms=wait_ms)
        return cls(
            workflow=None if record is None else Workflow.of(record),
            plan=None if plan is None else [PlannedWrite.of(write, info.context.hidden) for write in plan],
            client_mutation_id=client_mutation_id,
            **more,
        )


async def begin_workflow(
    info: GraphInfo, kind: str, given: Mapping[str, Any], *, dry_run: bool, wait_ms: int
) -> tuple[WorkflowRecord | None, Sequence[definition.PlannedWrite] | None]:
    """Begin a workflow of a kind with its input as JSON, and wait for it a while; or plan it. Raises `GraphQLError`.

    The first of the two is None in a dry run, the second otherwise.
    """
    request, desk = info.context.request, desk_of(info)
    asking = asking_of(info)
    try:
        if dry_run:
            return None, await desk.plan(kind, given, asking)
        record = await desk.begin(kind, given, asking)
        left_s = request.deadline - asyncio.get_running_loop().time() - _ANSWER_S
        return await desk.wait(record.id, max(0.0, min(wait_ms / 1000, left_s))), None
    except GatewayError as error:
        raise to_graphql_error(error) from error


def asking_of(info: GraphInfo) -> Asking:
    """Return who asks for the workflow of a mutation's root field, and under which key."""
    request, name = info.context.request, str(info.path.key)
    key = request.write_keys.get(name)
    return Asking(
        caller=request.caller,
        correlation_id=request.correlation_id,
        field=name,
        key=None if key is None else key.key,
        asker=caller_key(request.caller),
    )


def result_of(workflow: Workflow | None) -> Any:
    """Return what a completed workflow came to; None in a dry run. Raises SAGA_…."""
    if workflow is None:
        return None
    if workflow.record.status is not WorkflowStatus.COMPLETED:
        raise unfinished(workflow.record)
    return workflow.record.result
