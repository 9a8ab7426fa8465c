"""Reading drifts and runs page by page, the newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.writes.reconciliation.model import Drift, DriftFilter, DriftKind, Run
from gateway.writes.reconciliation.tables import DRIFT, RUN, to_drift, to_run
from gateway.writes.workflows.database import WorkflowDatabase
from gateway.writes.workflows.where import Where


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
        where = _conditions(wanted)
        where.beyond("detected_at", "<", after)
        with self._database.transaction() as execute:
            rows = execute(
                f"SELECT {DRIFT} FROM concord_drift WHERE {where} "  # noqa: S608 - our own names
                "ORDER BY detected_at DESC, id DESC LIMIT ?",
                (*where.given, size + 1),
            )
        return DriftPage(drifts=[to_drift(row) for row in rows[:size]], has_more=len(rows) > size)

    def count(self, wanted: DriftFilter) -> int:
        """Return how many there are."""
        where = _conditions(wanted)
        with self._database.transaction() as execute:
            ((count,),) = execute(f"SELECT count(*) FROM concord_drift WHERE {where}", where.given)  # noqa: S608 - our own names
        return int(count)

    def runs(self, *, size: int, after: tuple[float, str] | None) -> RunPage:
        """Return up to `size` runs begun before `after`."""
        where = Where()
        where.beyond("started_at", "<", after)
        with self._database.transaction() as execute:
            rows = execute(
                f"SELECT {RUN} FROM concord_reconciliation WHERE {where} "  # noqa: S608 - our own names
                "ORDER BY started_at DESC, id DESC LIMIT ?",
                (*where.given, size + 1),
            )
        return RunPage(runs=[to_run(row) for row in rows[:size]], has_more=len(rows) > size)

    def run(self, run: str) -> Run | None:
        """Return a run."""
        with self._database.transaction() as execute:
            rows = execute(f"SELECT {RUN} FROM concord_reconciliation WHERE id = ?", (run,))  # noqa: S608 - our own names
        return to_run(rows[0]) if rows else None


def _conditions(wanted: DriftFilter) -> Where:
    where = Where()
    where.one_of(wanted.statuses, "status")
    where.one_of(wanted.kinds, "kind")
    where.one_of(wanted.fields, "field")
    where.one_of(wanted.systems, "system", "owner")
    where.equal("customer", wanted.customer)
    where.equal("contract", wanted.contract)
    if wanted.product is not None:
        where.equal("kind", DriftKind.PRODUCT)
        where.equal("subject", wanted.product)
    return where
