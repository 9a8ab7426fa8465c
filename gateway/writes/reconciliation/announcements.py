"""Tells of drift as lifecycle events: kept with the change they tell of, published at least once."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import orjson

from gateway.writes.reconciliation.model import drift_global_id
from gateway.writes.workflows.database import Transaction
from gateway.writes.workflows.untold import BATCH, Announcement, Untold


class DriftAnnouncements(Untold):
    """The events that are not in the log yet."""

    table = "concord_drift_event"
    every_s = 0.5
    failed = "drift_store_failed"
    log = logging.getLogger("concord.reconciliation")

    def read(self, execute: Transaction) -> list[tuple[int, Announcement]]:
        """Return those that wait."""
        rows = execute(
            "SELECT seq, drift, revision, name, detail, at FROM concord_drift_event WHERE is_told = 0 ORDER BY seq LIMIT ?",
            (BATCH,),
        )
        return [(row[0], _told(row[1:])) for row in rows]


def _told(row: tuple[str, int, str, str, float]) -> Announcement:
    drift, revision, name, detail, at = row
    field, owner_value, copy_value, customer, contract = orjson.loads(detail)
    subject = drift_global_id(drift)
    return Announcement(
        id=f"gateway:{drift}:{revision}:{name}",
        name=name,
        subject=subject,
        time=datetime.fromtimestamp(at, UTC),
        keys={"drift": subject, "customer": customer, "contract": contract},
        changes=[(field, owner_value, copy_value)],
    )
