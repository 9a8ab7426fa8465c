"""Carries a workflow's steps out, forward and, where it can't be finished, back. Runs in a worker's thread.

Only what a try returns decides what comes next, so a run that is repeated after a crash takes the same way.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ParamSpec, Protocol, TypeVar

from gateway.writes.store import StoreFailed
from gateway.writes.workflows.database import wall_clock
from gateway.writes.workflows.definition import (
    RECOVERED,
    CallFailed,
    Calls,
    Definition,
    OnFailure,
    Run,
    Step,
    StepContext,
)
from gateway.writes.workflows.model import Json, StepError, StepStatus, WorkflowRecord, WorkflowStatus
from gateway.writes.workflows.store import Scheduled, WorkflowStore

_LOG = logging.getLogger("concord.workflows")
_STORE_PAUSE_S = 0.5
UNDO_PATIENCE_S = 24 * 3600.0
"""How long a dead system is waited for until a person has to look."""
ParametersT = ParamSpec("ParametersT")
ResultT = TypeVar("ResultT")

Outcome = dict[str, Any]
"""What a try came to, as the engine keeps it: `{"done": output}`, `{"failed": error, "asks": bool}`."""


class Watcher(Protocol):
    """Sees every boundary between two effects."""

    def __call__(self, workflow: str, step: str, moment: str) -> None:
        """Take note: `moment` is before, sent, or kept; with ` undo` behind it on the way back."""


class KeepStep(Protocol):
    """Runs something once, however often the workflow is resumed: the engine keeps what it returned."""

    def __call__(self, name: str, work: Callable[[], Outcome]) -> Outcome:
        """Return the outcome, or the one that an earlier worker kept."""
        ...


class Surroundings(Protocol):
    """What a worker gives to a run."""

    def wait(self, seconds: float, awaits: frozenset[str] = frozenset(), since: int = 0) -> None:
        """Pause, or until more of these events are heard of than `since`. Raises `Superseded` where the worker stops."""

    def heard(self, awaits: frozenset[str]) -> int:
        """Return how many events of these types were heard of so far."""

    def on_loop(self, work: Awaitable[Json]) -> Json:
        """Carry asynchronous work out on the process's event loop."""


def _unwatched(workflow: str, step: str, moment: str) -> None:
    del workflow, step, moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """Runs workflows of all kinds."""

    store: WorkflowStore
    definitions: Mapping[str, Definition]
    calls: Calls
    owners: Mapping[str, str]
    """System → the team that an exception case of it waits for."""
    surroundings: Surroundings
    watch: Watcher = field(default=_unwatched)

    def drive(self, workflow: str, generation: int, worker: str, keep: KeepStep) -> str:
        """Run a workflow to where it ends or has to stop, and say which. Raises `Superseded`."""
        record = self._kept(self.store.claim, workflow, generation, worker)
        if record is None:
            return "nothing to do"
        definition = self.definitions[record.kind]
        if record.starts_backward:
            outputs = self._known_outputs(record)
            return self._back(record, definition.steps, outputs, keep)
        outputs = {}
        for number, step in enumerate(definition.steps, 1):
            outcome = keep(step.name, partial(self._try_step, record, definition, step, outputs))
            if "done" in outcome:
                outputs[step.name] = outcome["done"]
                continue
            error = StepError.from_json(outcome["failed"])
            if outcome["asks"]:
                return self._stop(record, error)
            self._kept(self.store.turn_back, record, error)
            return self._back(record, definition.steps[:number], outputs, keep)
        self._kept(self.store.complete, record, definition.result(outputs), self._following(record, outputs))
        return "completed"

    def _following(self, record: WorkflowRecord, outputs: Mapping[str, Json]) -> Scheduled | None:
        """Return the workflow that is to be begun with the end of this one."""
        wanted = self.definitions[record.kind].follow(record.id, outputs)
        if wanted is None:
            return None
        definition, now = self.definitions[wanted.kind], wall_clock()
        due_at = definition.due_at(wanted.input)
        is_early = due_at is not None and due_at > now
        customer, contract = self.definitions[record.kind].subject(outputs)
        named = f"{record.id}\0{wanted.kind}"
        follower = WorkflowRecord(
            id=f"wf-{hashlib.sha256(named.encode()).hexdigest()[:20]}",
            kind=wanted.kind,
            status=WorkflowStatus.SCHEDULED if is_early else WorkflowStatus.RUNNING,
            input=wanted.input,
            fingerprint="",
            requested_by=record.requested_by,
            correlation_id=record.correlation_id,
            started_at=now,
            deadline_at=now + definition.deadline_s,
            customer=customer,
            contract=contract,
        )
        return Scheduled(record=follower, definition=definition, due_at=due_at if is_early else None)

    def _back(self, record: WorkflowRecord, steps: Sequence[Step], outputs: Mapping[str, Json], keep: KeepStep) -> str:
        for step in reversed(steps):
            if step.undo is None:
                continue
            outcome = keep(f"undo {step.name}", partial(self._undo_step, record, step, step.undo, outputs))
            if "failed" in outcome:
                return self._stop(record, StepError.from_json(outcome["failed"]))
        self._kept(self.store.compensated, record)
        return "compensated"

    def _known_outputs(self, record: WorkflowRecord) -> dict[str, Json]:
        steps = self._kept(self.store.steps, [record.id])[record.id]
        return {step.name: step.output for step in steps if step.output is not None}

    def _stop(self, record: WorkflowRecord, error: StepError) -> str:
        owner = self.owners.get(error.system) or self.owners.get("gateway", "gateway")
        self._kept(self.store.stop, record, error, owner)
        _LOG.error("workflow_needs_attention", extra={"workflow": record.id, "code": error.code, "owner": owner})
        return "needs attention"

    def _try_step(
        self, record: WorkflowRecord, definition: Definition, step: Step, outputs: Mapping[str, Json]
    ) -> Outcome:
        """Try a step until it is done or failed for good."""
        over_at = min(record.deadline_at, wall_clock() + step.retry.give_up_after_s)
        while True:
            known = self._kept(self.store.begin_try, record, step.name, is_undo=False)
            if known.status is StepStatus.DONE:
                return {"done": known.output}
            self.watch(record.id, step.name, "before")
            context = self._context(record, step, outputs)
            awaits = step.awaits | {RECOVERED}
            # What is heard of while the step looks counts: it may have looked just before.
            since = self.surroundings.heard(awaits)
            try:
                output = self.surroundings.on_loop(step.run(context))
            except CallFailed as failed:
                pause_s = step.retry.pause_s(known.attempts, failed.error)
                is_final = failed.error.code not in step.retry.codes or wall_clock() + pause_s > over_at
                self._note_failure(record, context, failed.error, is_undo=False, is_final=is_final)
                if is_final:
                    asks = failed.error.code in step.retry.ask or step.on_failure is OnFailure.ASK
                    return {"failed": failed.error.to_json(), "asks": asks}
                self.surroundings.wait(pause_s, awaits, since)
                continue
            self.watch(record.id, step.name, "sent")
            subject = definition.subject({**outputs, step.name: output})
            self._kept(self.store.step_done, record, step.name, output, subject, context.exchanges)
            self.watch(record.id, step.name, "kept")
            return {"done": output}

    def _undo_step(self, record: WorkflowRecord, step: Step, undo: Run, outputs: Mapping[str, Json]) -> Outcome:
        """Undo a step, with as much patience as a dead system needs; a refusal is for a person to look at."""
        over_at = wall_clock() + UNDO_PATIENCE_S
        while True:
            known = self._kept(self.store.begin_try, record, step.name, is_undo=True)
            if known.status is StepStatus.COMPENSATED or known.attempts == 0:
                return {"done": None}
            self.watch(record.id, step.name, "before undo")
            context = self._context(record, step, outputs)
            awaits = frozenset({RECOVERED})
            since = self.surroundings.heard(awaits)
            try:
                self.surroundings.on_loop(undo(context))
            except CallFailed as failed:
                pause_s = step.retry.pause_s(known.undo_attempts, failed.error)
                is_final = failed.error.code not in step.retry.codes or wall_clock() + pause_s > over_at
                self._note_failure(record, context, failed.error, is_undo=True, is_final=is_final)
                if is_final:
                    return {"failed": failed.error.to_json()}
                self.surroundings.wait(pause_s, awaits, since)
                continue
            self.watch(record.id, step.name, "sent undo")
            self._kept(self.store.undone, record, step.name, context.exchanges)
            self.watch(record.id, step.name, "kept undo")
            return {"done": None}

    def _note_failure(
        self, record: WorkflowRecord, context: StepContext, error: StepError, *, is_undo: bool, is_final: bool
    ) -> None:
        self._kept(
            self.store.try_failed,
            record,
            context.step,
            error,
            context.exchanges,
            is_undo=is_undo,
            is_final=is_final,
        )

    def _context(self, record: WorkflowRecord, step: Step, outputs: Mapping[str, Json]) -> StepContext:
        return StepContext(
            workflow=record.id,
            step=step.name,
            requested_by=record.requested_by,
            input=record.input,
            outputs=outputs,
            calls=self.calls,
            agreed=self._agreed(record),
        )

    def _agreed(self, record: WorkflowRecord) -> Mapping[str, Json]:
        if record.approved_by is None:
            return {}
        kept = self._kept(self.store.asked, [record.id]).get(record.id)
        return {} if kept is None else kept.agreed

    def _kept(
        self, work: Callable[ParametersT, ResultT], *arguments: ParametersT.args, **named: ParametersT.kwargs
    ) -> ResultT:
        """Write to the store, again and again while it can't be used: what was done must not be forgotten."""
        while True:
            try:
                return work(*arguments, **named)
            except StoreFailed as error:
                _LOG.warning("workflow_store_failed", extra={"reason": str(error)})
                self.surroundings.wait(_STORE_PAUSE_S)
