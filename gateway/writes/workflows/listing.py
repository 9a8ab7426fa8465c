"""Reading workflows page by page, the newest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.writes.workflows.database import WorkflowDatabase
from gateway.writes.workflows.model import SETTLED, WorkflowFilter, WorkflowRecord, WorkflowStatus
from gateway.writes.workflows.tables import WORKFLOW, to_workflow
from gateway.writes.workflows.where import Where


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowPage:
    """Some workflows."""

    workflows: Sequence[WorkflowRecord]
    has_more: bool


class Listing:
    """Reads over the table of workflows. All methods raise `StoreFailed`."""

    def __init__(self, database: WorkflowDatabase) -> None:
        self._database = database

    def page(
        self,
        wanted: WorkflowFilter,
        *,
        size: int,
        after: tuple[float, str] | None,
        before: tuple[float, str] | None = None,
        backward: bool = False,
    ) -> WorkflowPage:
        """Return up to `size` workflows between two places of the list, each the (start, id) of a workflow.

        `after` is that of a newer one, `before` that of an older one. `backward`: the last of them, not the first.
        """
        where = _conditions(wanted)
        where.beyond("started_at", "<", after)
        where.beyond("started_at", ">", before)
        order = "ASC" if backward else "DESC"
        with self._database.transaction() as execute:
            rows = execute(
                f"SELECT {WORKFLOW} FROM concord_workflow WHERE {where} "  # noqa: S608 - our own names
                f"ORDER BY started_at {order}, id {order} LIMIT ?",
                (*where.given, size + 1),
            )
        found = [to_workflow(row) for row in rows[:size]]
        return WorkflowPage(workflows=found[::-1] if backward else found, has_more=len(rows) > size)

    def count(self, wanted: WorkflowFilter) -> int:
        """Return how many there are."""
        where = _conditions(wanted)
        with self._database.transaction() as execute:
            ((count,),) = execute(f"SELECT count(*) FROM concord_workflow WHERE {where}", where.given)  # noqa: S608 - our own names
        return int(count)

    def live(self) -> Mapping[tuple[str, WorkflowStatus], int]:
        """Return how many have not ended, by kind and status."""
        statuses = [each.value for each in WorkflowStatus if each not in SETTLED]
        marks = ", ".join("?" * len(statuses))
        with self._database.transaction() as execute:
            rows = execute(
                f"SELECT kind, status, count(*) FROM concord_workflow WHERE status IN ({marks}) GROUP BY kind, status",  # noqa: S608 - only marks
                statuses,
            )
        return {(kind, WorkflowStatus(status)): int(count) for kind, status, count in rows}


def _conditions(wanted: WorkflowFilter) -> Where:
    where = Where()
    where.one_of(wanted.kinds, "kind")
    where.one_of(wanted.statuses, "status")
    where.equal("customer", wanted.customer)
    where.equal("contract", wanted.contract)
    return where
