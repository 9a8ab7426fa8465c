"""Tells what happened to workflows as lifecycle events: kept with the change they tell of, published at least once."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.writes.store import StoreFailed
from gateway.writes.workflows.database import WorkflowDatabase
from gateway.writes.workflows.tables import loads

_LOG = logging.getLogger("concord.workflows")
_EVERY_S = 0.25
_BATCH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """One lifecycle event to be."""

    id: str
    """The same however often it is published."""
    name: str
    """Such as `workflow.started`."""
    subject: str
    """Global id of the workflow."""
    at: datetime
    correlation_id: str
    customer: str | None
    contract: str | None
    detail: tuple[tuple[str, str], ...]


Publish = Callable[[Sequence[Announcement]], Awaitable[bool]]
"""Puts events into the log; False where that is not possible at the moment."""


def workflow_global_id(workflow: str) -> str:
    """Return the id that a workflow has in the graph."""
    return base64.urlsafe_b64encode(f"Workflow:{workflow}".encode()).decode().rstrip("=")


class Announcements:
    """The events that are not in the log yet."""

    def __init__(self, database: WorkflowDatabase, publish: Publish) -> None:
        self._database = database
        self._publish = publish

    async def tell_forever(self) -> None:
        """Publish again and again. Cancel it to stop."""
        while True:
            try:
                while await self.tell():
                    pass
            except StoreFailed as error:
                _LOG.warning("workflow_store_failed", extra={"reason": str(error)})
            await asyncio.sleep(_EVERY_S)

    async def tell(self) -> bool:
        """Publish what waits; tells whether there may be more. Raises `StoreFailed`."""
        waiting = await asyncio.to_thread(self._untold)
        if not waiting or not await self._publish([announcement for _, announcement in waiting]):
            return False
        await asyncio.to_thread(self._mark, [seq for seq, _ in waiting])
        return len(waiting) == _BATCH

    def _untold(self) -> list[tuple[int, Announcement]]:
        with self._database.transaction() as execute:
            rows = execute(
                "SELECT e.seq, e.workflow, e.type, e.detail, e.at, w.correlation_id, w.customer, w.contract "
                "FROM concord_workflow_event e JOIN concord_workflow w ON w.id = e.workflow "
                "WHERE e.is_told = 0 ORDER BY e.seq LIMIT ?",
                (_BATCH,),
            )
        return [
            (
                seq,
                Announcement(
                    id=f"gateway:{workflow}:{seq}:{name}",
                    name=name,
                    subject=workflow_global_id(workflow),
                    at=datetime.fromtimestamp(at, UTC),
                    correlation_id=correlation,
                    customer=customer,
                    contract=contract,
                    detail=tuple(sorted(loads(detail).items())),
                ),
            )
            for seq, workflow, name, detail, at, correlation, customer, contract in rows
        ]

    def _mark(self, seqs: Sequence[int]) -> None:
        marks = ", ".join("?" * len(seqs))
        with self._database.transaction() as execute:
            execute(f"UPDATE concord_workflow_event SET is_told = 1 WHERE seq IN ({marks})", tuple(seqs))  # noqa: S608 - our own names
