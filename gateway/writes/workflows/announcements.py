"""Tells what happened to workflows as lifecycle events: kept with the change they tell of, published at least once."""

from __future__ import annotations

import base64
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.writes.workflows.database import Transaction
from gateway.writes.workflows.tables import loads
from gateway.writes.workflows.untold import BATCH, Untold


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


class Announcements(Untold[Announcement]):
    """The events that are not in the log yet."""

    table = "concord_workflow_event"
    every_s = 0.25
    failed = "workflow_store_failed"
    log = logging.getLogger("concord.workflows")

    def read(self, execute: Transaction) -> list[tuple[int, Announcement]]:
        """Return those that wait."""
        rows = execute(
            "SELECT e.seq, e.workflow, e.type, e.detail, e.at, w.correlation_id, w.customer, w.contract "
            "FROM concord_workflow_event e JOIN concord_workflow w ON w.id = e.workflow "
            "WHERE e.is_told = 0 ORDER BY e.seq LIMIT ?",
            (BATCH,),
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
