"""Tells of drift as lifecycle events: kept with the change they tell of, published at least once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from gateway.writes.reconciliation.model import drift_global_id
from gateway.writes.store import StoreFailed
from gateway.writes.workflows.database import WorkflowDatabase

_LOG = logging.getLogger("concord.reconciliation")
_EVERY_S = 0.5
_BATCH = 200


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


class DriftAnnouncements:
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
                _LOG.warning("drift_store_failed", extra={"reason": str(error)})
            await asyncio.sleep(_EVERY_S)

    async def tell(self) -> bool:
        """Publish a batch; whether there may be more. Raises `StoreFailed`."""
        waiting = await asyncio.to_thread(self._untold)
        if not waiting or not await self._publish([told for _, told in waiting]):
            return False
        await asyncio.to_thread(self._mark, [seq for seq, _ in waiting])
        return len(waiting) == _BATCH

    def _untold(self) -> list[tuple[int, DriftTold]]:
        with self._database.transaction() as execute:
            rows = execute(
                "SELECT seq, drift, revision, name, detail, at FROM concord_drift_event WHERE is_told = 0 "
                "ORDER BY seq LIMIT ?",
                (_BATCH,),
            )
        return [(row[0], _told(row[1:])) for row in rows]

    def _mark(self, seqs: Sequence[int]) -> None:
        marks = ", ".join("?" * len(seqs))
        with self._database.transaction() as execute:
            execute(f"UPDATE concord_drift_event SET is_told = 1 WHERE seq IN ({marks})", tuple(seqs))  # noqa: S608 - our own names


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
