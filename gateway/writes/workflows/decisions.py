"""What people decide about a workflow: each is refused where it does not fit, and noted as evidence where it does."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.errors import GatewayError
from gateway.writes.workflows.database import Transaction, wall_clock
from gateway.writes.workflows.evidence import decision
from gateway.writes.workflows.model import SETTLED, WorkflowRecord, WorkflowStatus
from gateway.writes.workflows.store import WorkflowStore
from gateway.writes.workflows.tables import WORKFLOW, to_workflow

_ANYBODY = "anonymous"


class Decisions:
    """Raises `GatewayError` with NOT_FOUND, CONFLICT or FORBIDDEN, and `StoreFailed`."""

    def __init__(self, store: WorkflowStore) -> None:
        self._store = store

    def retry(self, workflow: str, actor: str | None) -> WorkflowRecord:
        """Let a stopped workflow go on, in the direction it had."""
        return self._move(
            workflow,
            actor,
            "retry",
            allowed=(WorkflowStatus.NEEDS_ATTENTION,),
            change="status = CASE backward_from WHEN 0 THEN 'RUNNING' ELSE 'COMPENSATING' END, error = NULL, owner = NULL",
        )

    def compensate(self, workflow: str, actor: str | None) -> WorkflowRecord:
        """Undo a workflow, even one that is completed."""
        return self._move(
            workflow,
            actor,
            "compensate",
            allowed=(
                WorkflowStatus.NEEDS_ATTENTION,
                WorkflowStatus.SCHEDULED,
                WorkflowStatus.RUNNING,
                WorkflowStatus.COMPLETED,
            ),
            change="status = 'COMPENSATING', backward_from = generation + 1, finished_at = NULL, owner = NULL",
        )

    def resolve(self, workflow: str, actor: str | None, note: str) -> WorkflowRecord:
        """Close an exception case that was put right by hand."""
        return self._settle(workflow, actor, "resolve", WorkflowStatus.NEEDS_ATTENTION, WorkflowStatus.RESOLVED, note)

    def approve(self, workflow: str, actor: str | None, deadline_s: float) -> WorkflowRecord:
        """Let a workflow begin whose amount somebody else has to agree to."""
        self._refuse_own(workflow, actor)
        due_at = self._store.due_at(workflow) or 0.0
        status = WorkflowStatus.SCHEDULED if due_at > wall_clock() else WorkflowStatus.RUNNING
        with self._store.database.transaction() as execute:
            found = _locked(execute, workflow, (WorkflowStatus.WAITING_APPROVAL,))
            # What is scheduled gets its time when it begins.
            deadline_at = (found.started_at if status is WorkflowStatus.SCHEDULED else wall_clock()) + deadline_s
            execute(
                "UPDATE concord_workflow SET status = ?, approved_by = ?, deadline_at = ? WHERE id = ?",
                (status, actor, deadline_at, workflow),
            )
            self._note(execute, found, actor, "approve", None)
            return _read(execute, workflow)

    def reject(self, workflow: str, actor: str | None, note: str) -> WorkflowRecord:
        """Refuse a workflow before it begins."""
        self._refuse_own(workflow, actor)
        return self._settle(workflow, actor, "reject", WorkflowStatus.WAITING_APPROVAL, WorkflowStatus.REJECTED, note)

    def _refuse_own(self, workflow: str, actor: str | None) -> None:
        found = self._store.find(workflow)
        if actor is None or (found is not None and found.requested_by == actor):
            told = "Somebody else than who asked for it has to decide, and be known by name."
            raise GatewayError("FORBIDDEN", told)

    def _move(
        self, workflow: str, actor: str | None, name: str, *, allowed: Sequence[WorkflowStatus], change: str
    ) -> WorkflowRecord:
        """Begin another run. The one that may still be under way is superseded at once."""
        with self._store.database.transaction() as execute:
            found = _locked(execute, workflow, allowed)
            execute(
                f"UPDATE concord_workflow SET {change}, generation = generation + 1, epoch = epoch + 1, worker = NULL, "  # noqa: S608 - our own names
                "deadline_at = ? WHERE id = ?",
                (wall_clock() + max(60.0, found.deadline_at - found.started_at), workflow),
            )
            self._note(execute, found, actor, name, None)
            return _read(execute, workflow)

    def _settle(
        self,
        workflow: str,
        actor: str | None,
        name: str,
        before: WorkflowStatus,
        after: WorkflowStatus,
        note: str,
    ) -> WorkflowRecord:
        with self._store.database.transaction() as execute:
            found = _locked(execute, workflow, (before,))
            execute(
                "UPDATE concord_workflow SET status = ?, note = ?, finished_at = ?, epoch = epoch + 1, owner = NULL "
                "WHERE id = ?",
                (after, note, wall_clock(), workflow),
            )
            self._note(execute, found, actor, name, note)
            return _read(execute, workflow)

    def _note(
        self, execute: Transaction, found: WorkflowRecord, actor: str | None, name: str, note: str | None
    ) -> None:
        asked = {"status": found.status, "note": note}
        self._store.evidence.note(
            execute, workflow=found.id, step=None, actor=actor or _ANYBODY, exchanges=[decision(name, asked)]
        )


def _locked(execute: Transaction, workflow: str, allowed: Sequence[WorkflowStatus]) -> WorkflowRecord:
    """Return the workflow, locked for the transaction. Raises `GatewayError` where its status is none of the allowed."""
    execute("UPDATE concord_workflow SET epoch = epoch WHERE id = ?", (workflow,))
    rows = execute(f"SELECT {WORKFLOW} FROM concord_workflow WHERE id = ?", (workflow,))  # noqa: S608 - our own names
    if not rows:
        raise GatewayError("NOT_FOUND", "There is no such workflow.")
    found = to_workflow(rows[0])
    if found.status not in allowed:
        ended = " and has ended" if found.status in SETTLED else ""
        raise GatewayError("CONFLICT", f"The workflow is {found.status}{ended}; this does not fit.")
    return found


def _read(execute: Transaction, workflow: str) -> WorkflowRecord:
    rows = execute(f"SELECT {WORKFLOW} FROM concord_workflow WHERE id = ?", (workflow,))  # noqa: S608 - our own names
    return to_workflow(rows[0])
