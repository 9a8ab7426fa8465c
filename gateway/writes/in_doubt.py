"""A write to one system whose outcome nobody knows: it becomes a workflow that asks the owner until it is known.

The owner is asked under the write's own key, as the caller who wrote it: it looks for what an earlier try did before it sends
anything, and takes what it finds for the answer. The caller has the workflow's id meanwhile, as `extensions.workflow`:

    COMPLETED     it took effect, once; `result` is what the owner says
    COMPENSATED   it did not take effect; `error` is what the owner refused it with

A failure that says nothing about the write itself (who may ask, a system that is down for a day) needs a person's attention.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gateway.errors import GatewayError
from gateway.execution.located import FIELD_CODES, SubgraphProfile
from gateway.execution.ports import CallerView, RequestContext, SubgraphClient, SubgraphRequest
from gateway.federation.plan import OperationKind
from gateway.writes.doubt import Doubt
from gateway.writes.workflows.announcements import workflow_global_id
from gateway.writes.workflows.definition import Answered, CallFailed, Definition, RetryPolicy, Run, Step, StepContext
from gateway.writes.workflows.desk import Asking, WorkflowDesk
from gateway.writes.workflows.model import Json, StepError
from gateway.writes.workflows.subgraph_calls import TRY_S, ask_subgraph

_PATIENCE_S = 23 * 3600.0
"""Owners remember a key for a day; a little less is how long the same write may be sent again, by itself or by a person."""
_REFUSALS = frozenset({"BAD_USER_INPUT", "CONFLICT", "NOT_FOUND", "SYSTEM_REJECTED"})
"""What an owner says of the write itself: it did not happen."""
_RETRY = RetryPolicy(
    codes=RetryPolicy().codes | {"REQUEST_RATE_LIMITED", "STORE_UNAVAILABLE"},
    ask=FIELD_CODES - _REFUSALS,
    give_up_after_s=_PATIENCE_S,
    first_pause_s=1.0,
    longest_pause_s=30.0,
)


def kind_of(subgraph: str) -> str:
    """Return the kind of workflow that settles writes of a subgraph."""
    return f"in-doubt-{subgraph}"


async def settle(desk: WorkflowDesk, doubt: Doubt, caller: Json, asker: str | None = None) -> str | None:
    """Begin the workflow; `caller` is kept with it, as JSON, `asker` as `Asking` has it. The same key gives the same workflow."""
    request = doubt.request
    given = {
        "document": request.document,
        "variables": dict(request.variables),
        "operationName": request.operation_name,
        "key": doubt.key,
        "caller": caller,
    }
    asking = Asking(
        caller=doubt.context.caller,
        correlation_id=doubt.context.correlation_id,
        field=doubt.field,
        key=doubt.key,
        asker=asker,
    )
    try:
        return workflow_global_id((await desk.begin(kind_of(request.subgraph), given, asking)).id)
    except (GatewayError, KeyError):
        # The store is gone, or the subgraph came later than this process: the caller may still repeat the write.
        return None


def definitions_of(
    subgraphs: Sequence[str],
    clients: Callable[[], Mapping[str, SubgraphClient]],
    profiles: Mapping[str, SubgraphProfile],
    caller_of: Callable[[Json], CallerView],
) -> Mapping[str, Definition]:
    """Return a kind for each subgraph that owns writes; `caller_of` reads what `settle` kept of the caller."""

    def profile_of(subgraph: str) -> SubgraphProfile:
        return profiles.get(subgraph) or SubgraphProfile(name=subgraph, system=subgraph)

    def asking(subgraph: str) -> Run:
        profile = profile_of(subgraph)

        async def run(context: StepContext) -> Json:
            given = context.input
            client = clients().get(subgraph)
            if client is None:
                told = "The graph has no such system."
                raise CallFailed(StepError(code="SYSTEM_UNAVAILABLE", message=told, system=profile.system))
            request = SubgraphRequest(
                subgraph=subgraph,
                kind=OperationKind.MUTATION,
                document=given["document"],
                variables=given["variables"],
                operation_name=given["operationName"],
                headers=(("idempotency-key", given["key"]),),
            )
            asked = RequestContext(
                correlation_id=context.workflow,
                deadline=asyncio.get_running_loop().time() + TRY_S,
                caller=caller_of(given["caller"]),
            )
            noted: dict[str, Any] = {"key": given["key"], "variables": given["variables"]}
            try:
                answer = await ask_subgraph(client, request, asked, profile, is_write=True)
            except CallFailed as failed:
                told_error = {"error": failed.error.to_json()}
                context.exchanges.append(
                    Answered(system=profile.system, action="ask again", question=noted, answer=told_error)
                )
                if failed.error.is_unknown and failed.error.code in _REFUSALS:
                    # The code would end it as not done; the owner says that it does not know yet.
                    raise CallFailed(replace(failed.error, code="SYSTEM_ERROR")) from failed
                raise
            context.exchanges.append(Answered(system=profile.system, action="ask again", question=noted, answer=answer))
            return {"answer": answer}

        return run

    return {
        kind_of(name): Definition(
            kind=kind_of(name),
            steps=(
                Step(
                    name="ask",
                    system=profile_of(name).system,
                    run=asking(name),
                    retry=_RETRY,
                ),
            ),
            plan=_no_plan,
            amount=_no_amount,
            subject=lambda _outputs: (None, None),
            result=lambda outputs: outputs["ask"]["answer"],
            deadline_s=_PATIENCE_S,
            retried_within_s=_PATIENCE_S,
        )
        for name in subgraphs
    }


async def _no_plan(_context: StepContext) -> tuple[()]:
    return ()


async def _no_amount(_context: StepContext) -> None:
    return None
