"""The tables of drift and of runs, and how their rows read. They stand beside those of the workflows, in the same database."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson

from gateway.writes.reconciliation.model import (
    Drift,
    DriftKind,
    DriftStatus,
    Finding,
    Place,
    Run,
    RunStatus,
    Scope,
    Tally,
    Unreachable,
)
from gateway.writes.workflows.database import WorkflowDatabase

_SCHEMA = """
CREATE TABLE IF NOT EXISTS concord_drift (
    id text PRIMARY KEY, kind text NOT NULL, subject text NOT NULL, field text NOT NULL, system text NOT NULL,
    owner text NOT NULL, customer text, contract text, owner_value text, copy_value text, difference text, currency text,
    status text NOT NULL, detected_at double precision NOT NULL, seen_at double precision NOT NULL,
    resolved_at double precision, accepted_by text, reason text, workflow text, revision integer NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS concord_drift_place ON concord_drift (subject, kind, field, system)
    WHERE status <> 'RESOLVED';
CREATE INDEX IF NOT EXISTS concord_drift_by_time ON concord_drift (detected_at, id);
CREATE INDEX IF NOT EXISTS concord_drift_by_customer ON concord_drift (customer);
CREATE INDEX IF NOT EXISTS concord_drift_by_contract ON concord_drift (contract);
CREATE TABLE IF NOT EXISTS concord_drift_event (
    seq {serial}, drift text NOT NULL, revision integer NOT NULL, name text NOT NULL, detail text NOT NULL,
    at double precision NOT NULL, is_told integer NOT NULL
);
CREATE INDEX IF NOT EXISTS concord_drift_event_untold ON concord_drift_event (is_told, seq);
CREATE TABLE IF NOT EXISTS concord_reconciliation (
    id text PRIMARY KEY, scope text NOT NULL, status text NOT NULL, asked_by text, is_scheduled integer NOT NULL,
    is_whole integer NOT NULL, started_at double precision NOT NULL, finished_at double precision, tally text NOT NULL,
    worker text NOT NULL, lease_until double precision NOT NULL
);
CREATE INDEX IF NOT EXISTS concord_reconciliation_by_start ON concord_reconciliation (started_at, id);
"""
_SCHEMA_LOCK = "SELECT pg_advisory_xact_lock(1668178533)"
"""Two gateways that start at once must not create the tables at once."""

DRIFT = (
    "id, kind, subject, field, system, owner, customer, contract, owner_value, copy_value, difference, currency, status,"
    " detected_at, seen_at, resolved_at, accepted_by, reason, workflow, revision"
)
RUN = "id, scope, status, asked_by, is_scheduled, started_at, finished_at, tally, worker"


def create_tables(database: WorkflowDatabase) -> None:
    """Create what is not there. Raises `StoreFailed`."""
    with database.transaction() as execute:
        if database.lock_ledger is not None:
            execute(_SCHEMA_LOCK)
        for statement in _SCHEMA.format(serial=database.serial).split(";"):
            if statement.strip():
                execute(statement)


def drift_row(drift: Drift) -> tuple[Any, ...]:
    """Return the values of `DRIFT`."""
    found, place = drift.found, drift.found.place
    return (
        drift.id, place.kind, place.subject, place.field, place.system, found.owner, found.customer, found.contract,
        found.owner_value, found.copy_value, None if found.difference is None else str(found.difference),
        found.currency, drift.status, drift.detected_at, drift.seen_at, drift.resolved_at, drift.accepted_by,
        drift.reason, drift.workflow, drift.revision,
    )  # fmt: skip


def to_drift(row: tuple[Any, ...]) -> Drift:
    """Read a row of `SELECT DRIFT`."""
    return Drift(
        id=row[0],
        found=Finding(
            place=Place(kind=DriftKind(row[1]), subject=row[2], field=row[3], system=row[4]),
            owner=row[5],
            customer=row[6],
            contract=row[7],
            owner_value=row[8],
            copy_value=row[9],
            difference=None if row[10] is None else Decimal(row[10]),
            currency=row[11],
            differs=row[12] != DriftStatus.RESOLVED,
        ),
        status=DriftStatus(row[12]),
        detected_at=row[13],
        seen_at=row[14],
        resolved_at=row[15],
        accepted_by=row[16],
        reason=row[17],
        workflow=row[18],
        revision=row[19],
    )


def to_run(row: tuple[Any, ...]) -> Run:
    """Read a row of `SELECT RUN`."""
    scope, tally = orjson.loads(row[1]), orjson.loads(row[7])
    return Run(
        id=row[0],
        scope=Scope(
            kinds=tuple(map(DriftKind, scope["kinds"])),
            customer=scope["customer"],
            contract=scope["contract"],
            product=scope.get("product"),
        ),
        status=RunStatus(row[2]),
        asked_by=row[3],
        is_scheduled=bool(row[4]),
        started_at=row[5],
        finished_at=row[6],
        tally=Tally(**{**tally, "unreachable": tuple(Unreachable(**each) for each in tally["unreachable"])}),
        worker=row[8],
    )


def scope_text(scope: Scope) -> str:
    """Return a scope as it is kept."""
    parts = {"customer": scope.customer, "contract": scope.contract, "product": scope.product}
    return orjson.dumps({"kinds": scope.kinds, **parts}).decode()


def tally_text(tally: Tally) -> str:
    """Return a tally as it is kept."""
    return orjson.dumps(tally).decode()
