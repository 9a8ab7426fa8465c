"""Events that are kept in a table with the change they tell of, until the log has them: published at least once, in order."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar, Generic, TypeVar

from gateway.writes.store import StoreFailed
from gateway.writes.workflows.database import Transaction, WorkflowDatabase

ToldT = TypeVar("ToldT")

BATCH = 200
"""Events that are published at once."""


class Untold(ABC, Generic[ToldT]):
    """The events of one table that are not in the log yet."""

    table: ClassVar[str]
    """With the columns `seq` and `is_told`."""
    every_s: ClassVar[float]
    failed: ClassVar[str]
    """What the log is told when the database can't be used."""
    log: ClassVar[logging.Logger]

    def __init__(self, database: WorkflowDatabase, publish: Callable[[Sequence[ToldT]], Awaitable[bool]]) -> None:
        self._database = database
        self._publish = publish

    @abstractmethod
    def read(self, execute: Transaction) -> list[tuple[int, ToldT]]:
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

    def _waiting(self) -> list[tuple[int, ToldT]]:
        with self._database.transaction() as execute:
            return self.read(execute)

    def _mark(self, seqs: Sequence[int]) -> None:
        marks = ", ".join("?" * len(seqs))
        with self._database.transaction() as execute:
            execute(f"UPDATE {self.table} SET is_told = 1 WHERE seq IN ({marks})", tuple(seqs))  # noqa: S608 - our own names
