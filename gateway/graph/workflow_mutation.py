"""What people decide about workflows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated

import strawberry

from gateway.errors import GatewayError
from gateway.execution.ports import CallerView
from gateway.graph.context import GraphInfo
from gateway.graph.guards import MAY_OPERATE
from gateway.graph.refusal import refusal, to_graphql_error
from gateway.graph.workflow import Workflow, desk_of, find_workflow, local_workflow_id
from gateway.writes.workflows.desk import WorkflowDesk
from gateway.writes.workflows.model import WorkflowRecord

_MAX_NOTE = 1_000
_Id = Annotated[strawberry.ID, strawberry.argument(description="The workflow's global id.")]
_Note = Annotated[str, strawberry.argument(description="What was done, or why; kept with the workflow.")]


@strawberry.type(description="The workflow as it is now.")
class WorkflowDecisionPayload:
    """Answer of what people decide."""

    workflow: Workflow | None = strawberry.field(description="The workflow after the decision.")


@strawberry.type
class WorkflowMutation:
    """Decisions about workflows."""

    @strawberry.mutation(
        directives=[MAY_OPERATE], description="Let a workflow that needs attention go on, in the direction it had."
    )
    async def retry_workflow(self, info: GraphInfo, id: _Id) -> WorkflowDecisionPayload | None:  # noqa: A002 - the argument's name
        return await _decided(info, id, WorkflowDesk.retry)

    @strawberry.mutation(
        directives=[MAY_OPERATE],
        description="Undo a workflow, even one that is completed. One that settles a write in doubt has nothing to undo and is refused with CONFLICT.",
    )
    async def compensate_workflow(self, info: GraphInfo, id: _Id) -> WorkflowDecisionPayload | None:  # noqa: A002 - the argument's name
        return await _decided(info, id, WorkflowDesk.compensate)

    @strawberry.mutation(
        directives=[MAY_OPERATE], description="Close a workflow that needs attention and was put right by hand."
    )
    async def resolve_exception(
        self,
        info: GraphInfo,
        id: _Id,  # noqa: A002 - the argument's name
        note: _Note,
    ) -> WorkflowDecisionPayload | None:
        return await _decided(info, id, partial(WorkflowDesk.resolve, note=_checked_note(note)))

    @strawberry.mutation(directives=[MAY_OPERATE], description="Approve a workflow that somebody else asked for.")
    async def approve_workflow(self, info: GraphInfo, id: _Id) -> WorkflowDecisionPayload | None:  # noqa: A002 - the argument's name
        return await _decided(info, id, WorkflowDesk.approve)

    @strawberry.mutation(
        directives=[MAY_OPERATE], description="Refuse a workflow that waits for approval; nothing of it is done."
    )
    async def reject_workflow(
        self,
        info: GraphInfo,
        id: _Id,  # noqa: A002 - the argument's name
        note: _Note,
    ) -> WorkflowDecisionPayload | None:
        return await _decided(info, id, partial(WorkflowDesk.reject, note=_checked_note(note)))


async def _decided(
    info: GraphInfo, global_id: str, decide: Callable[[WorkflowDesk, str, CallerView], Awaitable[WorkflowRecord]]
) -> WorkflowDecisionPayload:
    """Decide about a workflow that the caller sees; any other is refused with NOT_FOUND, as one that never was."""
    if await find_workflow(info, global_id) is None:
        raise refusal("NOT_FOUND", "There is no such workflow.")
    try:
        record = await decide(desk_of(info), local_workflow_id(global_id), info.context.request.caller)
    except GatewayError as error:
        raise to_graphql_error(error) from error
    return WorkflowDecisionPayload(workflow=Workflow.of(record))


def _checked_note(note: str) -> str:
    if not 0 < len(note.strip()) <= _MAX_NOTE:
        raise refusal("BAD_USER_INPUT", f"A note has 1 to {_MAX_NOTE} characters.")
    return note.strip()
