"""The tables of workflows, steps, evidence and workers, and how their rows read."""

from __future__ import annotations

from typing import Any

import orjson

from gateway.writes.workflows.database import WorkflowDatabase
from gateway.writes.workflows.model import (
    Json,
    StepError,
    StepRecord,
    StepStatus,
    WorkflowRecord,
    WorkflowStatus,
)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS concord_workflow (
    id text PRIMARY KEY, kind text NOT NULL, status text NOT NULL, input text NOT NULL, fingerprint text NOT NULL,
    requested_by text, correlation_id text NOT NULL, customer text, contract text, result text, error text,
    backward_from integer NOT NULL, generation integer NOT NULL, epoch integer NOT NULL, worker text, approved_by text,
    note text, owner text, started_at double precision NOT NULL, finished_at double precision,
    deadline_at double precision NOT NULL
);
CREATE INDEX IF NOT EXISTS concord_workflow_by_status ON concord_workflow (status);
CREATE INDEX IF NOT EXISTS concord_workflow_by_start ON concord_workflow (started_at, id);
CREATE INDEX IF NOT EXISTS concord_workflow_by_contract ON concord_workflow (contract);
CREATE INDEX IF NOT EXISTS concord_workflow_by_customer ON concord_workflow (customer);
CREATE TABLE IF NOT EXISTS concord_workflow_step (
    workflow text NOT NULL, position integer NOT NULL, name text NOT NULL, system text NOT NULL, status text NOT NULL,
    attempts integer NOT NULL, error text, output text, started_at double precision, finished_at double precision,
    undo_attempts integer NOT NULL, undone_at double precision, PRIMARY KEY (workflow, name)
);
CREATE TABLE IF NOT EXISTS concord_workflow_evidence (
    seq {serial}, at text NOT NULL, workflow text NOT NULL, step text, actor text NOT NULL, action text NOT NULL,
    system text NOT NULL, question text NOT NULL, answer text NOT NULL, previous text NOT NULL, hash text NOT NULL
);
CREATE INDEX IF NOT EXISTS concord_workflow_evidence_of ON concord_workflow_evidence (workflow, seq);
CREATE TABLE IF NOT EXISTS concord_workflow_event (
    seq {serial}, workflow text NOT NULL, type text NOT NULL, detail text NOT NULL, at double precision NOT NULL,
    is_told integer NOT NULL
);
CREATE INDEX IF NOT EXISTS concord_workflow_event_untold ON concord_workflow_event (is_told, seq);
CREATE TABLE IF NOT EXISTS concord_workflow_asked (
    workflow text PRIMARY KEY, asker text, agreed text NOT NULL
);
CREATE TABLE IF NOT EXISTS concord_workflow_due (workflow text PRIMARY KEY, due_at double precision NOT NULL);
CREATE TABLE IF NOT EXISTS concord_workflow_worker (id text PRIMARY KEY, lease_until double precision NOT NULL);
"""
"""`backward_from`: the generation, and all after it, that begin with undoing; 0 for a workflow that goes forward."""
_SCHEMA_LOCK = "SELECT pg_advisory_xact_lock(1668178532)"
"""Two gateways that start at once must not create the tables at once."""

WORKFLOW = (
    "id, kind, status, input, fingerprint, requested_by, correlation_id, customer, contract, result, error, backward_from,"
    " generation, epoch, worker, approved_by, note, owner, started_at, finished_at, deadline_at"
)
STEP = "workflow, position, name, system, status, attempts, error, output, started_at, finished_at, undo_attempts, undone_at"


def create_tables(database: WorkflowDatabase) -> None:
    """Create what is not there. Raises `StoreFailed`."""
    with database.transaction() as execute:
        if database.lock_ledger is not None:
            execute(_SCHEMA_LOCK)
        for statement in _SCHEMA.format(serial=database.serial).split(";"):
            if statement.strip():
                execute(statement)


def dumps(value: Json) -> str:
    """Return the text of a JSON value, keys in order."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=str).decode()


def loads(text: str | None) -> Json:
    """Return the value of a JSON text; None for none."""
    return None if text is None else orjson.loads(text)


def _error(text: str | None) -> StepError | None:
    return None if text is None else StepError.from_json(orjson.loads(text))


def to_workflow(row: tuple[Any, ...]) -> WorkflowRecord:
    """Read a row of `SELECT WORKFLOW`."""
    return WorkflowRecord(
        id=row[0],
        kind=row[1],
        status=WorkflowStatus(row[2]),
        input=loads(row[3]),
        fingerprint=row[4],
        requested_by=row[5],
        correlation_id=row[6],
        customer=row[7],
        contract=row[8],
        result=loads(row[9]),
        error=_error(row[10]),
        starts_backward=0 < row[11] <= row[12],
        generation=row[12],
        epoch=row[13],
        worker=row[14],
        approved_by=row[15],
        note=row[16],
        owner=row[17],
        started_at=row[18],
        finished_at=row[19],
        deadline_at=row[20],
    )


def to_step(row: tuple[Any, ...]) -> StepRecord:
    """Read a row of `SELECT STEP`."""
    return StepRecord(
        workflow=row[0],
        position=row[1],
        name=row[2],
        system=row[3],
        status=StepStatus(row[4]),
        attempts=row[5],
        error=_error(row[6]),
        output=loads(row[7]),
        started_at=row[8],
        finished_at=row[9],
        undo_attempts=row[10],
        undone_at=row[11],
    )
