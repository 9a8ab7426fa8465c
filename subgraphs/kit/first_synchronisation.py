"""Whether identity was ever told all customers of a system. Until then what the graph finds by them is short.

    first = FirstSynchronisation(database, crosswalk, "crm")
    first.told(300)              # how far it is
    await first.complete()       # after every complete push; identity is told, and all replicas know
    await first.pending()        # what is still to come, for `/ready`; None for good once it was complete

It is kept with what else was told, so that a restart is ready at once.
"""

from __future__ import annotations

import sqlite3
import time
from typing import Protocol

from subgraphs.kit.database import Database
from subgraphs.kit.system_error import SynchronisingError

_PAUSE_MS = 1_000


class TellsIdentity(Protocol):
    """The crosswalk of one system."""

    async def synchronised(self) -> None:
        """Tell identity that it has all customers of the system. Raises VendorError."""
        ...


class FirstSynchronisation:
    """The first complete push of one system's customers."""

    SCHEMA = (
        "create table if not exists first_synchronisation (system text primary key, at real not null) without rowid;"
    )

    def __init__(self, database: Database, crosswalk: TellsIdentity, system: str) -> None:
        self._database = database
        self._crosswalk = crosswalk
        self._system = system
        self._told = 0
        self._is_done = False

    def told(self, count: int) -> None:
        """Note how many customers have been read so far."""
        self._told = count

    async def complete(self) -> None:
        """Note that every customer was told. Raises VendorError."""
        await self._crosswalk.synchronised()
        if not self._is_done:
            row = (self._system, time.time())
            await self._database.run(
                lambda c: c.execute("insert or ignore into first_synchronisation values (?, ?)", row)
            )
            self._is_done = True

    async def pending(self) -> SynchronisingError | None:
        """Return what is still to come; None once any replica has told everything, in this run or an earlier one."""
        self._is_done = self._is_done or await self._database.run(self._was_done)
        if self._is_done:
            return None
        so_far = f": {self._told} so far" if self._told else ""
        return SynchronisingError(
            f"The customers of {self._system} are read for the first time{so_far}.",
            system=self._system,
            retry_after_ms=_PAUSE_MS,
        )

    def _was_done(self, connection: sqlite3.Connection) -> bool:
        found = connection.execute("select 1 from first_synchronisation where system = ?", (self._system,)).fetchone()
        return found is not None
