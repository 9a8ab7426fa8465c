"""Tells of drift as lifecycle events: kept with the change they tell of, published at least once."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from gateway.writes.reconciliation.model import drift_global_id
from gateway.writes.workflows.database import Transaction
from gateway.writes.workflows.untold import BATCH, Untold


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftTold:
    """One lifecycle event to be."""

    id: str
    """The same however often it is published."""
    name: str
    """`drift.detected` or `drift.resolved`."""
    subject: str
    """Global id of the drift."""
    at: datetime
    customer: str | None
    contract: str | None
    field: str
    owner_value: str | None
    copy_value: str | None


Publish = Callable[[Sequence[DriftTold]], Awaitable[bool]]
"""Puts events into the log; False where that is not possible at the moment."""


class DriftAnnouncements(Untold[DriftTold]):
    """The events that are not in the log yet."""

    table = "concord_drift_event"
    every_s = 0.5
    failed = "drift_store_failed"
    log = logging.getLogger("concord.reconciliation")

    def read(self, execute: Transaction) -> list[tuple[int, DriftTold]]:
        """Return those that wait."""
        rows = execute(
            "SELECT seq, drift, revision, name, detail, at FROM concord_drift_event WHERE is_told = 0 ORDER BY seq LIMIT ?",
            (BATCH,),
        )
        return [(row[0], _told(row[1:])) for row in rows]


def _told(row: tuple[str, int, str, str, float]) -> DriftTold:
    drift, revision, name, detail, at = row
    field, owner_value, copy_value, customer, contract = orjson.loads(detail)
    return DriftTold(
        id=f"gateway:{drift}:{revision}:{name}",
        name=name,
        subject=drift_global_id(drift),
        at=datetime.fromtimestamp(at, UTC),
        customer=customer,
        contract=contract,
        field=field,
        owner_value=owner_value,
        copy_value=copy_value,
    )
