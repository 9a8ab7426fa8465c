"""Reading drifts and runs page by page, the newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway.writes.reconciliation.model import Drift, DriftFilter, Run
from gateway.writes.reconciliation.tables import DRIFT, RUN, to_drift, to_run
from gateway.writes.workflows.database import WorkflowDatabase


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftPage:
    """Some drifts."""

    drifts: Sequence[Drift]
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    """Some runs."""

    runs: Sequence[Run]
    has_more: bool


class DriftListing:
    """Reads over the tables. All methods raise `StoreFailed`."""

    def __init__(self, database: WorkflowDatabase) -> None:
        self._database = database

    def drifts(self, wanted: DriftFilter, *, size: int, after: tuple[float, str] | None) -> DriftPage:
        """Return up to `size` drifts detected before `after`, the (time, id) of the one before."""
        where, given = _conditions(wanted)
        _behind("detected_at", after, where, given)
        with self._database.transaction() as execute:
            rows = execute(
                f"SELECT {DRIFT} FROM concord_drift WHERE {' AND '.join(where)} "  # noqa: S608 - our own names
                "ORDER BY detected_at DESC, id DESC LIMIT ?",
                (*given, size + 1),
            )
        return DriftPage(drifts=[to_drift(row) for row in rows[:size]], has_more=len(rows) > size)

    def count(self, wanted: DriftFilter) -> int:
        """Return how many there are."""
        where, given = _conditions(wanted)
        with self._database.transaction() as execute:
            ((count,),) = execute(f"SELECT count(*) FROM concord_drift WHERE {' AND '.join(where)}", given)  # noqa: S608 - our own names
        return int(count)

    def runs(self, *, size: int, after: tuple[float, str] | None) -> RunPage:
        """Return up to `size` runs begun before `after`."""
        where: list[str] = ["1 = 1"]
        given: list[Any] = []
        _behind("started_at", after, where, given)
        with self._database.transaction() as execute:
            rows = execute(
                f"SELECT {RUN} FROM concord_reconciliation WHERE {' AND '.join(where)} "  # noqa: S608 - our own names
                "ORDER BY started_at DESC, id DESC LIMIT ?",
                (*given, size + 1),
            )
        return RunPage(runs=[to_run(row) for row in rows[:size]], has_more=len(rows) > size)

    def run(self, run: str) -> Run | None:
        """Return a run."""
        with self._database.transaction() as execute:
            rows = execute(f"SELECT {RUN} FROM concord_reconciliation WHERE id = ?", (run,))  # noqa: S608 - our own names
        return to_run(rows[0]) if rows else None


def _behind(column: str, after: tuple[float, str] | None, where: list[str], given: list[Any]) -> None:
    if after is not None:
        where.append(f"({column} < ? OR ({column} = ? AND id < ?))")
        given += [after[0], after[0], after[1]]


def _conditions(wanted: DriftFilter) -> tuple[list[str], list[Any]]:
    where: list[str] = ["1 = 1"]
    given: list[Any] = []
    for column, values in (("status", wanted.statuses), ("kind", wanted.kinds), ("field", wanted.fields)):
        if values is not None:
            where.append(f"{column} IN ({', '.join('?' * len(values))})" if values else "1 = 0")
            given += [str(value) for value in values]
    if wanted.systems is not None:
        marks = ", ".join("?" * len(wanted.systems))
        where.append(f"(system IN ({marks}) OR owner IN ({marks}))" if wanted.systems else "1 = 0")
        given += [*wanted.systems, *wanted.systems]
    for column, value in (("customer", wanted.customer), ("contract", wanted.contract)):
        if value is not None:
            where.append(f"{column} = ?")
            given.append(value)
    return where, given
