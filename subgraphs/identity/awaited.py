"""The systems whose customers identity waits for: until one has told all of its own, the directory is short of them."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection

from subgraphs.kit.database import Database
from subgraphs.kit.system_error import SynchronisingError

_PAUSE_MS = 1_000


class AwaitedSystems:
    """Which of the systems that the configuration names have never told all their customers."""

    SCHEMA = "create table if not exists synchronised (system text primary key, at real not null) without rowid;"

    def __init__(self, database: Database, systems: Collection[str]) -> None:
        self._database = database
        self._pending = frozenset(systems)

    async def synchronised(self, system: str) -> None:
        """Note that a system has told everything."""
        row = (system, time.time())
        await self._database.run(lambda c: c.execute("insert or ignore into synchronised values (?, ?)", row))

    async def pending(self) -> frozenset[str]:
        """Return those that are still to come."""
        if self._pending:
            self._pending -= await self._database.run(_synchronised)
        return self._pending


def kind_of(system: str) -> str:
    """Return the system, whichever instance of it: of crm/acme, crm."""
    return system.partition("/")[0]


def still_synchronising(system: str) -> SynchronisingError:
    """Return the error that stands where a system would have told something."""
    message = f"The customers of {system} are not all known yet."
    return SynchronisingError(message, system=kind_of(system), retry_after_ms=_PAUSE_MS)


def _synchronised(connection: sqlite3.Connection) -> frozenset[str]:
    return frozenset(row[0] for row in connection.execute("select system from synchronised"))
