"""One SQLite file: a single writer thread with group commit, and readers that never block it or the event loop."""

from __future__ import annotations

import asyncio
import fcntl
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Generic, TypeVar

from gateway.events.log import StoreUnavailable

T = TypeVar("T")

_READERS = 2
_MAX_GROUP = 64
"""Writes that share one commit, and so one fsync, when they arrive together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Write(Generic[T]):
    statements: Callable[[sqlite3.Connection], T]
    on_commit: Callable[[T], None] | None
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[T]

    def settle(self, result: T) -> None:
        """Tell the event loop, in commit order; what is committed is announced even if nobody waits for it anymore."""
        if self.on_commit is not None:
            self.on_commit(result)
        if not self.done.done():
            self.done.set_result(result)

    def fail(self, error: BaseException) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class SqliteStore:
    """A file that one process writes. A write has survived a crash of the process or machine when it returns."""

    def __init__(self, path: Path, schema: str) -> None:
        """Open or create the file. Raises `StoreUnavailable`, also when another process has it open."""
        self._path = path
        self._closing = False
        self._lock_file: IO[str] = _lock(path)
        self._writes: queue.SimpleQueue[_Write[Any] | None] = queue.SimpleQueue()
        self._local = threading.local()
        self._reader_connections: list[sqlite3.Connection] = []
        try:
            self._connection = _connect(path)
            self._connection.execute("PRAGMA journal_mode = WAL")
            # FULL syncs the log at each commit: an acknowledged event outlives a power cut too.
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.executescript(schema)
        except sqlite3.Error as error:
            self._lock_file.close()
            raise StoreUnavailable(f"cannot open {path.name}: {error}") from error
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix=f"{path.stem}-read")
        self._writer = threading.Thread(target=self._write_until_closed, name=f"{path.stem}-write", daemon=True)
        self._writer.start()

    async def write(
        self, statements: Callable[[sqlite3.Connection], T], on_commit: Callable[[T], None] | None = None
    ) -> T:
        """Run statements in a transaction on the writer thread. Raises `StoreUnavailable` with nothing written.

        `on_commit` runs on the event loop, in the order of commits, before this returns.
        """
        if self._closing:
            raise StoreUnavailable("the store is closed")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._writes.put(_Write(statements=statements, on_commit=on_commit, loop=loop, done=done))
        return await done

    async def read(self, statements: Callable[[sqlite3.Connection], T]) -> T:
        """Run statements on one snapshot of the file, on a reader thread. Raises `StoreUnavailable`."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, statements)

    def read_now(self, statements: Callable[[sqlite3.Connection], T]) -> T:
        """Run statements on the calling thread; for start-up only."""
        return self._read(statements)

    async def close(self) -> None:
        """Finish the writes that were asked for and close the file."""
        self._closing = True
        self._writes.put(None)
        await asyncio.to_thread(self._writer.join)
        self._readers.shutdown(wait=True)
        for connection in self._reader_connections:
            connection.close()
        self._connection.close()
        self._lock_file.close()

    def _read(self, statements: Callable[[sqlite3.Connection], T]) -> T:
        try:
            connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
            if connection is None:
                connection = _connect(self._path)
                connection.execute("PRAGMA query_only = ON")
                self._local.connection = connection
                self._reader_connections.append(connection)
            connection.execute("BEGIN")
            try:
                return statements(connection)
            finally:
                connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreUnavailable(str(error)) from error

    def _write_until_closed(self) -> None:
        while (first := self._writes.get()) is not None:
            group = [first]
            closing = False
            while len(group) < _MAX_GROUP:
                try:
                    more = self._writes.get_nowait()
                except queue.Empty:
                    break
                if more is None:
                    closing = True
                    break
                group.append(more)
            self._commit(group)
            if closing:
                return

    def _commit(self, group: list[_Write[Any]]) -> None:
        connection = self._connection
        settlements: list[tuple[_Write[Any], Callable[[Any], None], Any]] = []
        try:
            connection.execute("BEGIN IMMEDIATE")
            for write in group:
                connection.execute("SAVEPOINT one")
                try:
                    result = write.statements(connection)
                except sqlite3.OperationalError:
                    raise
                except Exception as error:  # noqa: BLE001 - belongs to the caller, who awaits it; the group goes on
                    connection.execute("ROLLBACK TO one")
                    settlements.append((write, write.fail, error))
                else:
                    settlements.append((write, write.settle, result))
                connection.execute("RELEASE one")
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            unavailable = StoreUnavailable(str(error))
            unavailable.__cause__ = error
            settlements = [(write, write.fail, unavailable) for write in group]
        for write, settle, value in settlements:
            write.loop.call_soon_threadsafe(settle, value)


def _connect(path: Path) -> sqlite3.Connection:
    # Each connection stays with one thread, except that close() ends them all.
    return sqlite3.connect(path, isolation_level=None, timeout=5, check_same_thread=False)


def _lock(path: Path) -> IO[str]:
    """Keep a second process out: it would not hear of this one's events. The system frees the lock at a crash."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock_file = path.with_name(path.name + ".lock").open("w")
    except OSError as error:
        raise StoreUnavailable(f"cannot open {path.name}: {error.strerror}") from error
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock_file.close()
        raise StoreUnavailable(f"{path} is in use by another process; share events through Redis instead") from error
    return lock_file
