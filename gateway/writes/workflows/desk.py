"""Where workflows are asked for, looked at and decided about: what the graph and the terminal work with."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import ParamSpec, TypeVar

from gateway.errors import GatewayError, Outcome
from gateway.execution.ports import CallerView
from gateway.writes.store import StoreFailed
from gateway.writes.workflows.database import wall_clock
from gateway.writes.workflows.decisions import Decisions
from gateway.writes.workflows.definition import Answered, CallFailed, Definition, PlannedWrite, StepContext
from gateway.writes.workflows.evidence import ChainCheck, Evidence
from gateway.writes.workflows.listing import Listing, WorkflowPage
from gateway.writes.workflows.model import (
    MOVING,
    Asked,
    Json,
    StepRecord,
    WorkflowFilter,
    WorkflowRecord,
    WorkflowStatus,
)
from gateway.writes.workflows.store import WorkflowStore
from gateway.writes.workflows.subgraph_calls import SubgraphCalls
from gateway.writes.workflows.tables import dumps
from gateway.writes.workflows.worker import Worker

_FIRST_LOOK_S = 0.03
_LONGEST_LOOK_S = 0.5
_NO_WAY_BACK = (
    "It only finds out what became of a write, so there is nothing to take back. Let it end; where it needs attention, "
    "retryWorkflow asks again and resolveException closes it. The write itself is undone by a mutation of its owner."
)
ParametersT = ParamSpec("ParametersT")
ResultT = TypeVar("ResultT")
_TOO_LATE = (
    "Its system may have forgotten the write's key by now, and would do it twice. Look there whether it was done, and close "
    "this with resolveException."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Who asks, and under which key."""

    caller: CallerView
    correlation_id: str
    field: str
    """Response name of the mutation's root field."""
    key: str | None
    """The idempotency key; None: a workflow of its own each time."""
    asker: str | None = None
    """Who that is, apart from all others that have the same name elsewhere; None where nobody tells."""


class WorkflowDesk:
    """Raises `GatewayError`: STORE_UNAVAILABLE, IDEMPOTENCY_KEY_REUSED, and what each decision may be refused with."""

    def __init__(
        self,
        store: WorkflowStore,
        worker: Worker,
        definitions: Mapping[str, Definition],
        calls: SubgraphCalls,
        *,
        approval_above: Decimal | None,
    ) -> None:
        """`approval_above`: the amount beyond which somebody else has to approve; None for no limit."""
        self._store = store
        self._worker = worker
        self._definitions = definitions
        self._calls = calls
        self._approval_above = approval_above
        self._listing = Listing(store.database)
        self._decisions = Decisions(store)

    async def begin(self, kind: str, given: Mapping[str, Json], asking: Asking) -> WorkflowRecord:
        """Begin a workflow, or return the one that the same key began. It survives a crash from here on."""
        definition = self._definitions[kind]
        workflow = _workflow_id(asking)
        fingerprint = hashlib.sha256(f"{kind}\n{dumps(given)}".encode()).hexdigest()
        known = await self.find(workflow)
        now, due_at = wall_clock(), definition.due_at(given)
        is_early = due_at is not None and due_at > now
        if known is None and (is_early or asking.caller.filters or asking.caller.tenant is not None):
            # What can't be done today is not worth waiting for. And the systems show a confined caller his own only; the
            # workflow, which outlives him, sees all of them.
            await self._asked(definition.plan, given, workflow, asking)
        waits, agreed = (
            await self._needs_approval(definition, given, workflow, asking) if known is None else (False, [])
        )
        starts = WorkflowStatus.SCHEDULED if is_early else WorkflowStatus.RUNNING
        asked = WorkflowRecord(
            id=workflow,
            kind=kind,
            status=WorkflowStatus.WAITING_APPROVAL if waits else starts,
            input=given,
            fingerprint=fingerprint,
            requested_by=asking.caller.subject,
            correlation_id=asking.correlation_id,
            started_at=now,
            deadline_at=now + definition.deadline_s,
        )
        actor = asking.caller.subject or "anonymous"
        begun = await self._stored(
            self._store.begin,
            asked,
            definition,
            actor=actor,
            worker=self._worker.id,
            asker=asking.asker,
            agreed=agreed,
            due_at=due_at if is_early else None,
        )
        if begun.record.fingerprint != fingerprint:
            raise GatewayError("IDEMPOTENCY_KEY_REUSED")
        if begun.is_new and begun.record.status is WorkflowStatus.RUNNING:
            await self._worker.start(begun.record)
        return begun.record

    async def plan(self, kind: str, given: Mapping[str, Json], asking: Asking) -> Sequence[PlannedWrite]:
        """Return what a workflow would write, having changed nothing. Raises what its checks would fail with."""
        return await self._asked(self._definitions[kind].plan, given, _workflow_id(asking), asking)

    async def wait(self, workflow: str, seconds: float) -> WorkflowRecord:
        """Return a workflow once it does not move anymore, or as it is when the time is up."""
        until = asyncio.get_running_loop().time() + seconds
        pause_s = _FIRST_LOOK_S
        while True:
            record = await self.find(workflow)
            if record is None:
                raise GatewayError("NOT_FOUND", "There is no such workflow.")
            left_s = until - asyncio.get_running_loop().time()
            if record.status not in MOVING or left_s <= 0:
                return record
            await asyncio.sleep(min(pause_s, left_s))
            pause_s = min(pause_s * 1.5, _LONGEST_LOOK_S)

    async def find(self, workflow: str) -> WorkflowRecord | None:
        """Return a workflow."""
        return await self._stored(self._store.find, workflow)

    def due_at(self, record: WorkflowRecord) -> float | None:
        """Return when a workflow is to be carried out, in seconds since 1970; None for one that was begun at once."""
        definition = self._definitions.get(record.kind)
        return None if definition is None else definition.due_at(record.input)

    async def asked(self, workflows: Sequence[str]) -> Mapping[str, Asked]:
        """Return workflow → what is kept of its request."""
        return await self._stored(self._store.asked, workflows)

    async def steps(self, workflows: Sequence[str]) -> Mapping[str, Sequence[StepRecord]]:
        """Return workflow → its steps in order."""
        return await self._stored(self._store.steps, workflows)

    async def page(
        self,
        wanted: WorkflowFilter,
        *,
        size: int,
        after: tuple[float, str] | None,
        before: tuple[float, str] | None = None,
        backward: bool = False,
    ) -> WorkflowPage:
        """Return workflows, the newest first; as `Listing.page` says."""
        return await self._stored(self._listing.page, wanted, size=size, after=after, before=before, backward=backward)

    async def count(self, wanted: WorkflowFilter) -> int:
        """Return how many workflows there are."""
        return await self._stored(self._listing.count, wanted)

    async def live(self) -> Mapping[tuple[str, WorkflowStatus], int]:
        """Return how many workflows have not ended, by kind and status."""
        return await self._stored(self._listing.live)

    async def evidence(self, workflow: str) -> Sequence[Evidence]:
        """Return what is on record of a workflow."""
        return await self._stored(self._store.evidence.read, workflow)

    async def verify(self) -> ChainCheck:
        """Check the whole chain of evidence."""
        return await self._stored(self._store.evidence.verify)

    async def retry(self, workflow: str, caller: CallerView) -> WorkflowRecord:
        """Let a stopped workflow go on. Raises CONFLICT where it is too late for that."""
        found = await self.find(workflow)
        definition = None if found is None else self._definitions.get(found.kind)
        within_s = None if definition is None else definition.retried_within_s
        if found is not None and within_s is not None and wall_clock() > found.started_at + within_s:
            raise GatewayError("CONFLICT", _TOO_LATE)
        return await self._go_on(await self._stored(self._decisions.retry, workflow, caller.subject))

    async def compensate(self, workflow: str, caller: CallerView) -> WorkflowRecord:
        """Undo a workflow. Raises CONFLICT for one of a kind without a way back, wherever it stands."""
        found = await self.find(workflow)
        definition = None if found is None else self._definitions.get(found.kind)
        if definition is not None and not definition.has_way_back:
            raise GatewayError("CONFLICT", _NO_WAY_BACK)
        return await self._go_on(await self._stored(self._decisions.compensate, workflow, caller.subject))

    async def resolve(self, workflow: str, caller: CallerView, note: str) -> WorkflowRecord:
        """Close an exception case that was put right by hand."""
        return await self._stored(self._decisions.resolve, workflow, caller.subject, note)

    async def approve(self, workflow: str, caller: CallerView) -> WorkflowRecord:
        """Let a workflow begin whose amount somebody else has to agree to."""
        found = await self.find(workflow)
        if found is None:
            raise GatewayError("NOT_FOUND", "There is no such workflow.")
        deadline_s = self._definitions[found.kind].deadline_s
        return await self._go_on(await self._stored(self._decisions.approve, workflow, caller.subject, deadline_s))

    async def reject(self, workflow: str, caller: CallerView, note: str) -> WorkflowRecord:
        """Refuse a workflow before it begins."""
        return await self._stored(self._decisions.reject, workflow, caller.subject, note)

    async def _needs_approval(
        self, definition: Definition, given: Mapping[str, Json], workflow: str, asking: Asking
    ) -> tuple[bool, Sequence[Answered]]:
        """Return whether somebody has to approve, and what that was reckoned from."""
        if self._approval_above is None:
            return False, []
        context = self._context(given, workflow, asking)
        amount = await _answered(definition.amount(context))
        waits = amount is not None and amount > self._approval_above
        return waits, context.exchanges if waits else []

    async def _asked(
        self,
        question: Callable[[StepContext], Awaitable[ResultT]],
        given: Mapping[str, Json],
        workflow: str,
        asking: Asking,
    ) -> ResultT:
        """Return what a definition reads before anything is written: what the systems show to who asks."""
        return await _answered(question(self._context(given, workflow, asking)))

    def _context(self, given: Mapping[str, Json], workflow: str, asking: Asking) -> StepContext:
        return StepContext(
            workflow=workflow,
            step="plan",
            requested_by=asking.caller.subject,
            input=given,
            outputs={},
            calls=self._calls.on_behalf_of(asking.caller),
        )

    async def _go_on(self, record: WorkflowRecord) -> WorkflowRecord:
        if record.status is WorkflowStatus.SCHEDULED:
            return record
        if await self._stored(self._store.hand_over, record, self._worker.id, is_new_run=False):
            await self._worker.start(record)
        return record

    async def _stored(
        self, work: Callable[ParametersT, ResultT], *arguments: ParametersT.args, **named: ParametersT.kwargs
    ) -> ResultT:
        try:
            return await asyncio.to_thread(work, *arguments, **named)
        except StoreFailed as error:
            raise GatewayError("STORE_UNAVAILABLE") from error


async def _answered(question: Awaitable[ResultT]) -> ResultT:
    """Return the answer. Raises `GatewayError` where a system refuses or fails."""
    try:
        return await question
    except CallFailed as failed:
        error = failed.error
        told = {"system": error.system, "outcome": Outcome.NOT_APPLIED.value}  # asked before anything was written
        raise GatewayError(error.code, error.message, extensions=told) from failed


def _workflow_id(asking: Asking) -> str:
    """Return the id that the same key of the same caller always gives, or a new one."""
    if asking.key is None:
        return f"wf-{secrets.token_hex(10)}"
    caller = asking.caller
    who = (caller.tenant or "", caller.subject or "") if asking.asker is None else (asking.asker,)
    parts = (*who, asking.field, asking.key)
    return f"wf-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:20]}"
