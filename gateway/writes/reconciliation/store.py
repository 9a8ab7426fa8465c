"""Drift and runs in the database. What is told of a drift is kept in the transaction of what it tells of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import orjson

from gateway.errors import GatewayError
from gateway.writes.reconciliation.model import (
    Drift,
    DriftStatus,
    Finding,
    Place,
    Run,
    RunStatus,
    Scope,
    Tally,
    drift_id,
)
from gateway.writes.reconciliation.tables import (
    DRIFT,
    RUN,
    create_tables,
    drift_row,
    scope_text,
    tally_text,
    to_drift,
    to_run,
)
from gateway.writes.workflows.database import Transaction, WorkflowDatabase, wall_clock

_LIVE = f"status <> '{DriftStatus.RESOLVED}'"
_CHANGING = tuple(DRIFT.split(", ")[5:])
"""Columns that change after a drift was opened."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a page of findings."""

    differing: int
    opened: int
    resolved: int


class DriftStore:
    """All methods raise `StoreFailed`."""

    def __init__(self, database: WorkflowDatabase) -> None:
        create_tables(database)
        self.database = database

    def begin_run(self, asked: Run, lease_s: float, *, due_after_s: float | None = None) -> Run | None:
        """Keep a new run and return it, or the one that is under way over the same scope or was asked for under this id.

        A run over everything that another gateway is at is joined, not doubled. `due_after_s`: only where no such run
        began within so many seconds; else None.
        """
        with self.database.transaction() as execute:
            if self.database.lock_ledger is not None:
                execute("SELECT pg_advisory_xact_lock(1668178534)")
            known = execute(f"SELECT {RUN} FROM concord_reconciliation WHERE id = ?", (asked.id,))  # noqa: S608 - our own names
            if known:
                return to_run(known[0])
            execute(
                "UPDATE concord_reconciliation SET status = ?, finished_at = ? "  # noqa: S608 - our own names
                f"WHERE status = ? AND lease_until <= {self.database.now}",
                (RunStatus.INTERRUPTED, wall_clock(), RunStatus.RUNNING),
            )
            if asked.scope.is_whole:
                running = execute(
                    f"SELECT {RUN} FROM concord_reconciliation WHERE status = ? AND is_whole = 1",  # noqa: S608 - our own names
                    (RunStatus.RUNNING,),
                )
                if running:
                    return None if due_after_s is not None else to_run(running[0])
            if due_after_s is not None:
                recent = execute(
                    "SELECT 1 FROM concord_reconciliation WHERE is_whole = 1 AND status <> ? "  # noqa: S608 - our own names
                    f"AND started_at > {self.database.now} - ?",
                    (RunStatus.INTERRUPTED, due_after_s),
                )
                if recent:
                    return None
            execute(
                f"INSERT INTO concord_reconciliation ({RUN}, is_whole, lease_until) "  # noqa: S608 - our own names
                f"VALUES (?, ?, ?, ?, ?, ?, NULL, ?, ?, ?, {self.database.now} + ?)",
                (
                    asked.id, scope_text(asked.scope), RunStatus.RUNNING, asked.asked_by, int(asked.is_scheduled),
                    asked.started_at, tally_text(asked.tally), asked.worker, int(asked.scope.is_whole), lease_s,
                ),
            )  # fmt: skip
        return asked

    def note_run(self, run: Run, tally: Tally, lease_s: float) -> bool:
        """Note how far a run is; False where it is taken for dead already and has to stop."""
        with self.database.transaction() as execute:
            rows = execute(
                f"UPDATE concord_reconciliation SET tally = ?, lease_until = {self.database.now} + ? "  # noqa: S608 - our own names
                "WHERE id = ? AND status = ? RETURNING id",
                (tally_text(tally), lease_s, run.id, RunStatus.RUNNING),
            )
        return bool(rows)

    def end_run(self, run: Run, status: RunStatus, tally: Tally) -> Run:
        """Note how a run ended."""
        with self.database.transaction() as execute:
            execute(
                "UPDATE concord_reconciliation SET status = ?, tally = ?, finished_at = ? WHERE id = ? AND status = ?",
                (status, tally_text(tally), wall_clock(), run.id, RunStatus.RUNNING),
            )
            (row,) = execute(f"SELECT {RUN} FROM concord_reconciliation WHERE id = ?", (run.id,))  # noqa: S608 - our own names
        return to_run(row)

    def apply(self, findings: Sequence[Finding]) -> Applied:
        """Open, keep or resolve what a page of comparisons found."""
        subjects = sorted({found.place.subject for found in findings})
        with self.database.transaction() as execute:
            known = {drift.found.place: drift for drift in _live(execute, subjects)}
            opened = resolved = differing = 0
            now = wall_clock()
            for found in findings:
                drift = known.get(found.place)
                if found.differs:
                    differing += 1
                    opened += _seen(execute, drift, found, now)
                elif drift is not None:
                    resolved += 1
                    _resolve(execute, replace(drift, found=_agreed(drift, found)), now)
        return Applied(differing, opened, resolved)

    def resolve_unseen(self, scope: Scope, since: float) -> int:
        """Resolve what a complete run over its whole scope has not come across: its subject is not there anymore."""
        marks = ", ".join("?" * len(scope.kinds))
        with self.database.transaction() as execute:
            rows = execute(
                f"SELECT {DRIFT} FROM concord_drift WHERE {_LIVE} AND kind IN ({marks}) AND seen_at < ?",  # noqa: S608 - our own names
                (*scope.kinds, since),
            )
            now = wall_clock()
            for row in rows:
                _resolve(execute, to_drift(row), now)
        return len(rows)

    def accept(self, drift: str, actor: str | None, reason: str) -> Drift:
        """Note that an open drift may be. Raises `GatewayError` with NOT_FOUND or CONFLICT."""
        with self.database.transaction() as execute:
            found = _required(execute, drift)
            if found.status is not DriftStatus.OPEN:
                raise GatewayError("CONFLICT", f"The drift is {found.status}; only an open one can be accepted.")
            return _keep(execute, replace(found, status=DriftStatus.ACCEPTED, accepted_by=actor, reason=reason))

    def mend(self, drift: str, workflow: str) -> Drift:
        """Note which workflow mends it. Raises `GatewayError` with NOT_FOUND."""
        with self.database.transaction() as execute:
            return _keep(execute, replace(_required(execute, drift), workflow=workflow))

    def to_look_at_again(self) -> Sequence[Drift]:
        """Return what a workflow that has ended was to mend, and nobody has compared since."""
        with self.database.transaction() as execute:
            rows = execute(
                f"SELECT {', '.join(f'd.{name}' for name in DRIFT.split(', '))} FROM concord_drift d "  # noqa: S608 - our own names
                "JOIN concord_workflow w ON w.id = d.workflow WHERE d.status <> 'RESOLVED' "
                "AND w.finished_at IS NOT NULL AND d.seen_at < w.finished_at ORDER BY d.id LIMIT 100"
            )
        return [to_drift(row) for row in rows]

    def find(self, drift: str) -> Drift | None:
        """Return a drift."""
        with self.database.transaction() as execute:
            rows = execute(f"SELECT {DRIFT} FROM concord_drift WHERE id = ?", (drift,))  # noqa: S608 - our own names
        return to_drift(rows[0]) if rows else None

    def live_of(self, column: str, keys: Sequence[str]) -> Mapping[str, Sequence[Drift]]:
        """Return the open and accepted drifts by `customer`, its contracts' included, or by `subject`."""
        marks = ", ".join("?" * len(keys))
        with self.database.transaction() as execute:
            rows = execute(
                f"SELECT {DRIFT} FROM concord_drift WHERE {_LIVE} AND {column} IN ({marks}) ORDER BY detected_at, id",  # noqa: S608 - our own names
                tuple(keys),
            )
        by_key: dict[str, list[Drift]] = {key: [] for key in keys}
        for drift in map(to_drift, rows):
            key = drift.found.customer if column == "customer" else drift.found.place.subject
            by_key[str(key)].append(drift)
        return by_key


def _live(execute: Transaction, subjects: Sequence[str]) -> Iterable[Drift]:
    if not subjects:
        return ()
    marks = ", ".join("?" * len(subjects))
    rows = execute(f"SELECT {DRIFT} FROM concord_drift WHERE {_LIVE} AND subject IN ({marks})", tuple(subjects))  # noqa: S608 - our own names
    return map(to_drift, rows)


def _seen(execute: Transaction, drift: Drift | None, found: Finding, now: float) -> bool:
    """Open a drift, or note that it is still there; one that was accepted with other values is open again."""
    if drift is None:
        drift = Drift(
            id=_next_id(execute, found.place), found=found, status=DriftStatus.OPEN, detected_at=now, seen_at=now
        )
        _insert(execute, drift)
        _tell(execute, drift, "drift.detected", now)
        return True
    is_other = (drift.found.owner_value, drift.found.copy_value) != (found.owner_value, found.copy_value)
    reopens = is_other and drift.status is DriftStatus.ACCEPTED
    changed = replace(drift, found=found, seen_at=now, revision=drift.revision + int(is_other))
    if reopens:
        changed = replace(changed, status=DriftStatus.OPEN, accepted_by=None, reason=None)
    _keep(execute, changed)
    if is_other:
        _tell(execute, changed, "drift.detected", now)
    return reopens


def _resolve(execute: Transaction, drift: Drift, now: float) -> None:
    changed = replace(drift, status=DriftStatus.RESOLVED, resolved_at=now, revision=drift.revision + 1)
    _keep(execute, changed)
    _tell(execute, changed, "drift.resolved", now)


def _agreed(drift: Drift, found: Finding) -> Finding:
    """Return what is known at the end: the values that agree."""
    return replace(drift.found, owner_value=found.owner_value, copy_value=found.copy_value, difference=found.difference)


def _next_id(execute: Transaction, place: Place) -> str:
    ((count,),) = execute(
        "SELECT count(*) FROM concord_drift WHERE subject = ? AND kind = ? AND field = ? AND system = ?",
        (place.subject, place.kind, place.field, place.system),
    )
    return drift_id(place, int(count) + 1)


def _insert(execute: Transaction, drift: Drift) -> None:
    row = drift_row(drift)
    execute(f"INSERT INTO concord_drift ({DRIFT}) VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608 - our own names


def _keep(execute: Transaction, drift: Drift) -> Drift:
    columns = ", ".join(f"{name} = ?" for name in _CHANGING)
    execute(f"UPDATE concord_drift SET {columns} WHERE id = ?", (*drift_row(drift)[5:], drift.id))  # noqa: S608 - our own names
    return drift


def _tell(execute: Transaction, drift: Drift, name: str, now: float) -> None:
    found = drift.found
    detail = [found.place.field, found.owner_value, found.copy_value, found.customer, found.contract]
    execute(
        "INSERT INTO concord_drift_event (drift, revision, name, detail, at, is_told) VALUES (?, ?, ?, ?, ?, 0)",
        (drift.id, drift.revision, name, orjson.dumps(detail).decode(), now),
    )


def _required(execute: Transaction, drift: str) -> Drift:
    execute("UPDATE concord_drift SET revision = revision WHERE id = ?", (drift,))
    rows = execute(f"SELECT {DRIFT} FROM concord_drift WHERE id = ?", (drift,))  # noqa: S608 - our own names
    if not rows:
        raise GatewayError("NOT_FOUND", "There is no such drift.")
    return to_drift(rows[0])
