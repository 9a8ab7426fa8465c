"""Events that are kept in a table with the change they tell of, until the log has them: published at least once, in order."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, TypeAlias

from gateway.writes.store import StoreFailed
from gateway.writes.workflows.database import Transaction, WorkflowDatabase

BATCH = 200
"""Events that are published at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """One lifecycle event to be."""

    id: str
    """The same however often it is published."""
    name: str
    """Such as `workflow.started`."""
    subject: str
    """Global id of what it is about."""
    time: datetime
    keys: Mapping[str, str | None]
    """Name of an entity → what finds it; None where there is none."""
    changes: Sequence[tuple[str, str | None, str | None]]
    """(field, before, after)."""
    correlation_id: str | None = None


Publish: TypeAlias = Callable[[Sequence[Announcement]], Awaitable[bool]]
"""Puts events into the log; False where that is not possible at the moment."""


class Untold(ABC):
    """The events of one table that are not in the log yet."""

    table: ClassVar[str]
    """With the columns `seq` and `is_told`."""
    every_s: ClassVar[float]
    failed: ClassVar[str]
    """What the log is told when the database can't be used."""
    log: ClassVar[logging.Logger]

    def __init__(self, database: WorkflowDatabase, publish: Publish) -> None:
        self._database = database
        self._publish = publish

    @abstractmethod
    def read(self, execute: Transaction) -> list[tuple[int, Announcement]]:
        """Return the first `BATCH` events that wait, each with its `seq`."""

    async def tell_forever(self) -> None:
        """Publish again and again. Cancel it to stop."""
        while True:
            try:
                while await self.tell():
                    pass
            except StoreFailed as error:
                self.log.warning(self.failed, extra={"reason": str(error)})
            await asyncio.sleep(self.every_s)

    async def tell(self) -> bool:
        """Publish a batch; whether there may be more. Raises `StoreFailed`."""
        waiting = await asyncio.to_thread(self._waiting)
        if not waiting or not await self._publish([told for _, told in waiting]):
            return False
        await asyncio.to_thread(self._mark, [seq for seq, _ in waiting])
        return len(waiting) == BATCH

    def _waiting(self) -> list[tuple[int, Announcement]]:
        with self._database.transaction() as execute:
            return self.read(execute)

    def _mark(self, seqs: Sequence[int]) -> None:
        marks = ", ".join("?" * len(seqs))
        with self._database.transaction() as execute:
            execute(f"UPDATE {self.table} SET is_told = 1 WHERE seq IN ({marks})", tuple(seqs))  # noqa: S608 - our own names
