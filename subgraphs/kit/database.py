"""A process's own SQLite file: WAL, one thread that alone touches it, so that the event loop never waits for a disk.

database = await Database.open(state_dir / "crm.sqlite", (Outbox.SCHEMA, Projection.schema("companies")))
rows = await database.run(lambda connection: connection.execute("select 1").fetchall())
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self, TypeVar

ResultT = TypeVar("ResultT")


ConnectionT = TypeVar("ConnectionT", bound=sqlite3.Connection)


def connect(path: Path | str) -> sqlite3.Connection:
    """Return a connection with WAL, a busy timeout and explicit transactions; makes the folder."""
    return connect_as(sqlite3.Connection, path)


def connect_as(kind: type[ConnectionT], path: Path | str) -> ConnectionT:
    """Return a connection of a class of one's own, otherwise as `connect` does."""
    if str(path) != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=kind)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = normal")
    connection.execute("pragma busy_timeout = 5000")
    return connection


def prepare(connection: sqlite3.Connection, schemas: Sequence[str]) -> None:
    """Carry out `create table if not exists …` scripts."""
    for schema in schemas:
        connection.executescript(schema)


class Database:
    """One SQLite file. Every `run` is one transaction: committed when the function returns, rolled back when it raises."""

    def __init__(self, connection: sqlite3.Connection, thread: ThreadPoolExecutor) -> None:
        self._connection = connection
        self._thread = thread

    @classmethod
    async def open(cls, path: Path | str, schemas: Sequence[str]) -> Self:
        """Open or create the file and carry out the `create table if not exists …` scripts."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="database")

        def start() -> sqlite3.Connection:
            connection = connect(path)
            prepare(connection, schemas)
            return connection

        return cls(await asyncio.get_running_loop().run_in_executor(thread, start), thread)

    async def run(self, work: Callable[[sqlite3.Connection], ResultT]) -> ResultT:
        """Return what `work` returns, done in one transaction. A cancelled caller does not stop work already begun."""
        loop = asyncio.get_running_loop()
        return await asyncio.shield(loop.run_in_executor(self._thread, self.transact, work))

    def transact(self, work: Callable[[sqlite3.Connection], ResultT]) -> ResultT:
        """Do it, on the thread that alone touches the file."""
        self._connection.execute("begin immediate")
        try:
            result = work(self._connection)
        except BaseException:
            self._connection.execute("rollback")
            raise
        self._connection.execute("commit")
        return result

    async def close(self) -> None:
        """Finish the work begun and close the file."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self.finish)
        self._thread.shutdown(wait=False)

    def finish(self) -> None:
        """Close the file, on its thread."""
        self._connection.close()
