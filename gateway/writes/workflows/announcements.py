"""Tells what happened to workflows as lifecycle events: kept with the change they tell of, published at least once."""

from __future__ import annotations

import base64
import logging
from datetime import UTC, datetime

from gateway.writes.workflows.database import Transaction
from gateway.writes.workflows.tables import loads
from gateway.writes.workflows.untold import BATCH, Announcement, Untold


def workflow_global_id(workflow: str) -> str:
    """Return the id that a workflow has in the graph."""
    return base64.urlsafe_b64encode(f"Workflow:{workflow}".encode()).decode().rstrip("=")


class WorkflowAnnouncements(Untold):
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
                    subject=(subject := workflow_global_id(workflow)),
                    time=datetime.fromtimestamp(at, UTC),
                    correlation_id=correlation,
                    keys={"workflow": subject, "customer": customer, "contract": contract},
                    changes=[(field, None, value) for field, value in sorted(loads(detail).items())],
                ),
            )
            for seq, workflow, name, detail, at, correlation, customer, contract in rows
        ]
