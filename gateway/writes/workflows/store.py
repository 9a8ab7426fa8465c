"""Workflows and their steps in the database. Every change says under which epoch it is made; a superseded one changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.writes.workflows.database import Transaction, WorkflowDatabase, wall_clock
from gateway.writes.workflows.definition import Answered, Definition
from gateway.writes.workflows.evidence import EvidenceLedger
from gateway.writes.workflows.model import (
    MOVING,
    SETTLED,
    Asked,
    Json,
    StepError,
    StepRecord,
    StepStatus,
    Superseded,
    WorkflowRecord,
    WorkflowStatus,
)
from gateway.writes.workflows.tables import STEP, WORKFLOW, create_tables, dumps, loads, to_step, to_workflow

_MOVING = ", ".join(f"'{status}'" for status in sorted(MOVING))
_LIVE = "SELECT id FROM concord_workflow_worker WHERE lease_until > {now}"


@dataclass(frozen=True, slots=True)
class Begun:
    """What became of asking for a workflow."""

    record: WorkflowRecord
    is_new: bool
    """False where the same key asked for it before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """A workflow that is to be kept with another one's end."""

    record: WorkflowRecord
    definition: Definition
    due_at: float | None
    """When it begins, in seconds since 1970; None: at once."""


class WorkflowStore:
    """What the workers write. All methods raise `StoreFailed`."""

    def __init__(self, database: WorkflowDatabase) -> None:
        create_tables(database)
        self.database = database
        self.evidence = EvidenceLedger(database)

    def begin(
        self,
        asked: WorkflowRecord,
        definition: Definition,
        *,
        actor: str,
        worker: str | None,
        asker: str | None = None,
        agreed: Sequence[Answered] = (),
        due_at: float | None = None,
    ) -> Begun:
        """Keep a new workflow with its steps, or return the one of that id. Durable once it returns.

        `agreed`: what the amount that somebody has to approve was reckoned from. `due_at`: when a scheduled one begins.
        """
        new = Scheduled(record=asked, definition=definition, due_at=due_at)
        with self.database.transaction() as execute:
            is_new = self._insert(execute, new, actor=actor, worker=worker, asker=asker, agreed=agreed)
            return Begun(_required(execute, asked.id), is_new)

    def _insert(
        self,
        execute: Transaction,
        new: Scheduled,
        *,
        actor: str,
        worker: str | None = None,
        asker: str | None = None,
        agreed: Sequence[Answered] = (),
    ) -> bool:
        """Keep a workflow with its steps, unless there is one of that id; whether there was none."""
        asked = new.record
        rows = execute(
            f"INSERT INTO concord_workflow ({WORKFLOW}) VALUES ({', '.join('?' * 21)}) "  # noqa: S608 - our own names
            "ON CONFLICT (id) DO NOTHING RETURNING id",
            (
                asked.id, asked.kind, asked.status, dumps(asked.input), asked.fingerprint, asked.requested_by,
                asked.correlation_id, asked.customer, asked.contract, None, None, 0, 1, 0, worker, None, None, None,
                asked.started_at, None, asked.deadline_at,
            ),
        )  # fmt: skip
        if not rows:
            return False
        untouched = (StepStatus.PENDING, 0, None, None, None, None, 0, None)
        for position, step in enumerate(new.definition.steps):
            execute(
                f"INSERT INTO concord_workflow_step ({STEP}) VALUES ({', '.join('?' * 12)})",  # noqa: S608 - our own names
                (asked.id, position, step.name, step.system, *untouched),
            )
        asks = Answered(system="gateway", action=f"start {asked.kind}", question=asked.input, answer=None)
        self.evidence.note(execute, workflow=asked.id, step=None, actor=actor, exchanges=[asks, *agreed])
        kept = dumps({each.action: each.answer for each in agreed})
        execute("INSERT INTO concord_workflow_asked VALUES (?, ?, ?)", (asked.id, asker, kept))
        if new.due_at is not None:
            execute("INSERT INTO concord_workflow_due VALUES (?, ?)", (asked.id, new.due_at))
        tell(execute, asked.id, "workflow.started", {"kind": asked.kind})
        return True

    def find(self, workflow: str) -> WorkflowRecord | None:
        """Return a workflow."""
        with self.database.transaction() as execute:
            return _found(execute, workflow)

    def asked(self, workflows: Sequence[str]) -> Mapping[str, Asked]:
        """Return workflow → what is kept of its request."""
        if not workflows:
            return {}
        marks = ", ".join("?" * len(workflows))
        with self.database.transaction() as execute:
            rows = execute(
                f"SELECT workflow, asker, agreed FROM concord_workflow_asked WHERE workflow IN ({marks})",  # noqa: S608 - our own names
                tuple(workflows),
            )
        return {workflow: Asked(asker=asker, agreed=loads(agreed)) for workflow, asker, agreed in rows}

    def steps(self, workflows: Sequence[str]) -> Mapping[str, Sequence[StepRecord]]:
        """Return workflow → its steps in order."""
        if not workflows:
            return {}
        marks = ", ".join("?" * len(workflows))
        with self.database.transaction() as execute:
            rows = execute(
                f"SELECT {STEP} FROM concord_workflow_step WHERE workflow IN ({marks}) ORDER BY workflow, position",  # noqa: S608 - our own names
                tuple(workflows),
            )
        found: dict[str, list[StepRecord]] = {}
        for row in rows:
            found.setdefault(row[0], []).append(to_step(row))
        return found

    def claim(self, workflow: str, generation: int, worker: str) -> WorkflowRecord | None:
        """Take a workflow over; from now on nobody else's changes count. None where there is nothing to do for this run."""
        with self.database.transaction() as execute:
            execute(
                f"UPDATE concord_workflow SET epoch = epoch + 1, worker = ? "  # noqa: S608 - our own names
                f"WHERE id = ? AND generation = ? AND status IN ({_MOVING})",
                (worker, workflow, generation),
            )
            record = _found(execute, workflow)
        is_ours = record is not None and record.generation == generation and record.status in MOVING
        return record if is_ours else None

    def begin_try(self, record: WorkflowRecord, step: str, *, is_undo: bool) -> StepRecord:
        """Count a try and return the step; one that is over, or was never tried and is undone, is returned unchanged. Raises `Superseded`."""
        count, running = ("undo_attempts", StepStatus.COMPENSATING) if is_undo else ("attempts", StepStatus.RUNNING)
        with self.database.transaction() as execute:
            _hold(execute, record)
            found = _step(execute, record.id, step)
            never_tried = is_undo and found.attempts == 0
            if never_tried or found.status is (StepStatus.COMPENSATED if is_undo else StepStatus.DONE):
                return found
            execute(
                f"UPDATE concord_workflow_step SET status = ?, {count} = {count} + 1, "  # noqa: S608 - our own names
                "started_at = coalesce(started_at, ?) WHERE workflow = ? AND name = ?",
                (running, wall_clock(), record.id, step),
            )
            return _step(execute, record.id, step)

    def step_done(
        self,
        record: WorkflowRecord,
        step: str,
        output: Json,
        subject: tuple[str | None, str | None],
        exchanges: Iterable[Answered],
    ) -> None:
        """Note that a step took effect, with the evidence; `subject` is the (customer, contract) known by now."""
        with self.database.transaction() as execute:
            _hold(execute, record)
            self._set(execute, record.id, step, StepStatus.DONE, None)
            execute(
                "UPDATE concord_workflow_step SET output = ?, finished_at = ? WHERE workflow = ? AND name = ?",
                (dumps(output), wall_clock(), record.id, step),
            )
            execute(
                "UPDATE concord_workflow SET customer = coalesce(?, customer), contract = coalesce(?, contract) "
                "WHERE id = ?",
                (*subject, record.id),
            )
            self._note(execute, record, step, exchanges)

    def try_failed(
        self,
        record: WorkflowRecord,
        step: str,
        error: StepError,
        exchanges: Iterable[Answered],
        *,
        is_undo: bool,
        is_final: bool,
    ) -> None:
        """Note a try that failed: the first and the last are told as an event."""
        match is_undo, is_final:
            case True, _:
                status = StepStatus.COMPENSATION_FAILED if is_final else StepStatus.COMPENSATING
            case _, False:
                status = StepStatus.RUNNING
            case _:
                status = StepStatus.UNKNOWN if error.is_unknown else StepStatus.FAILED
        with self.database.transaction() as execute:
            _hold(execute, record)
            before = _step(execute, record.id, step)
            self._set(execute, record.id, step, status, error)
            self._note(execute, record, step, exchanges)
            if is_final or before.error is None:
                detail = {"step": step, "code": error.code, "system": error.system}
                tell(execute, record.id, "workflow.step_failed", detail)

    def undone(self, record: WorkflowRecord, step: str, exchanges: Iterable[Answered]) -> None:
        """Note that nothing of a step is left."""
        with self.database.transaction() as execute:
            _hold(execute, record)
            execute(
                "UPDATE concord_workflow_step SET status = ?, undone_at = ? WHERE workflow = ? AND name = ?",
                (StepStatus.COMPENSATED, wall_clock(), record.id, step),
            )
            self._note(execute, record, step, exchanges)

    def turn_back(self, record: WorkflowRecord, error: StepError) -> None:
        """Note that the workflow is being undone, and why."""
        with self.database.transaction() as execute:
            _hold(execute, record)
            execute(
                "UPDATE concord_workflow SET status = ?, backward_from = generation + 1, error = ? WHERE id = ?",
                (WorkflowStatus.COMPENSATING, dumps(error.to_json()), record.id),
            )

    def complete(self, record: WorkflowRecord, result: Json, following: Scheduled | None = None) -> None:
        """Note that every step is done, and keep the workflow that follows; who asked for the one sees the other."""
        with self.database.transaction() as execute:
            _hold(execute, record)
            if following is not None:
                rows = execute("SELECT asker FROM concord_workflow_asked WHERE workflow = ?", (record.id,))
                asker = rows[0][0] if rows else None
                self._insert(execute, following, actor=record.requested_by or "anonymous", asker=asker)
            _finish(execute, record.id, WorkflowStatus.COMPLETED)
            execute("UPDATE concord_workflow SET result = ? WHERE id = ?", (dumps(result), record.id))
            tell(execute, record.id, "workflow.completed", {})

    def compensated(self, record: WorkflowRecord) -> None:
        """Note that nothing is left."""
        with self.database.transaction() as execute:
            _hold(execute, record)
            _finish(execute, record.id, WorkflowStatus.COMPENSATED)
            tell(execute, record.id, "workflow.compensated", {})

    def stop(self, record: WorkflowRecord, error: StepError, owner: str) -> None:
        """Note that a person of team `owner` has to decide."""
        with self.database.transaction() as execute:
            _hold(execute, record)
            execute(
                "UPDATE concord_workflow SET status = ?, error = ?, owner = ?, worker = NULL WHERE id = ?",
                (WorkflowStatus.NEEDS_ATTENTION, dumps(error.to_json()), owner, record.id),
            )

    def renew_lease(self, worker: str, lease_s: float) -> None:
        """Say that a worker is alive for some time yet."""
        with self.database.transaction() as execute:
            execute(
                f"INSERT INTO concord_workflow_worker VALUES (?, {self.database.now} + ?) "  # noqa: S608 - our own names
                "ON CONFLICT (id) DO UPDATE SET lease_until = excluded.lease_until",
                (worker, lease_s),
            )

    def end_lease(self, worker: str) -> None:
        """Say that a worker stops, so that others needn't wait for its lease to end."""
        with self.database.transaction() as execute:
            execute("DELETE FROM concord_workflow_worker WHERE id = ?", (worker,))

    def release_due(self) -> None:
        """Let the scheduled workflows begin whose time has come: whoever sweeps next carries them out."""
        now = self.database.now
        with self.database.transaction() as execute:
            execute(
                f"UPDATE concord_workflow SET status = ?, worker = NULL, deadline_at = {now} + (deadline_at - started_at) "  # noqa: S608 - our own names
                f"WHERE status = ? AND id IN (SELECT workflow FROM concord_workflow_due WHERE due_at <= {now})",
                (WorkflowStatus.RUNNING, WorkflowStatus.SCHEDULED),
            )

    def due_at(self, workflow: str) -> float | None:
        """Return when a workflow is to begin, if it has a time of its own."""
        with self.database.transaction() as execute:
            rows = execute("SELECT due_at FROM concord_workflow_due WHERE workflow = ?", (workflow,))
        return float(rows[0][0]) if rows else None

    def orphans(self) -> Sequence[WorkflowRecord]:
        """Return what should be moving and has no living worker; forgets workers that are long gone."""
        live = _LIVE.format(now=self.database.now)
        with self.database.transaction() as execute:
            rows = execute(
                f"SELECT {WORKFLOW} FROM concord_workflow WHERE status IN ({_MOVING}) "  # noqa: S608 - our own names
                f"AND (worker IS NULL OR worker NOT IN ({live})) ORDER BY started_at LIMIT 200"
            )
            execute(f"DELETE FROM concord_workflow_worker WHERE lease_until < {self.database.now} - 3600")  # noqa: S608 - our own names
        return [to_workflow(row) for row in rows]

    def hand_over(self, record: WorkflowRecord, worker: str | None, *, is_new_run: bool) -> bool:
        """Make `worker` (None: whoever sweeps next) responsible for an orphan, unless another one was quicker. `is_new_run` begins another generation."""
        with self.database.transaction() as execute:
            rows = execute(
                "UPDATE concord_workflow SET worker = ?, epoch = epoch + 1, generation = generation + ? "
                "WHERE id = ? AND epoch = ? AND generation = ? RETURNING id",
                (worker, int(is_new_run), record.id, record.epoch, record.generation),
            )
        return bool(rows)

    def _set(self, execute: Transaction, workflow: str, step: str, status: StepStatus, error: StepError | None) -> None:
        execute(
            "UPDATE concord_workflow_step SET status = ?, error = ? WHERE workflow = ? AND name = ?",
            (status, None if error is None else dumps(error.to_json()), workflow, step),
        )

    def _note(self, execute: Transaction, record: WorkflowRecord, step: str, exchanges: Iterable[Answered]) -> None:
        actor = record.requested_by or "anonymous"
        self.evidence.note(execute, workflow=record.id, step=step, actor=actor, exchanges=exchanges)


def tell(execute: Transaction, workflow: str, kind: str, detail: Mapping[str, str]) -> None:
    """Keep an event for the log within the transaction of what it tells of."""
    execute(
        "INSERT INTO concord_workflow_event (workflow, type, detail, at, is_told) VALUES (?, ?, ?, ?, 0)",
        (workflow, kind, dumps(detail), wall_clock()),
    )


def _hold(execute: Transaction, record: WorkflowRecord) -> None:
    """Lock the workflow's row for the transaction, if it still is ours. Raises `Superseded`."""
    held = execute(
        "UPDATE concord_workflow SET epoch = epoch WHERE id = ? AND epoch = ? RETURNING id", (record.id, record.epoch)
    )
    if not held:
        raise Superseded(record.id)


def _finish(execute: Transaction, workflow: str, status: WorkflowStatus) -> None:
    assert status in SETTLED
    execute(
        "UPDATE concord_workflow SET status = ?, finished_at = ?, worker = NULL WHERE id = ?",
        (status, wall_clock(), workflow),
    )


def _found(execute: Transaction, workflow: str) -> WorkflowRecord | None:
    rows = execute(f"SELECT {WORKFLOW} FROM concord_workflow WHERE id = ?", (workflow,))  # noqa: S608 - our own names
    return to_workflow(rows[0]) if rows else None


def _required(execute: Transaction, workflow: str) -> WorkflowRecord:
    record = _found(execute, workflow)
    assert record is not None
    return record


def _step(execute: Transaction, workflow: str, step: str) -> StepRecord:
    (row,) = execute(f"SELECT {STEP} FROM concord_workflow_step WHERE workflow = ? AND name = ?", (workflow, step))  # noqa: S608 - our own names
    return to_step(row)
