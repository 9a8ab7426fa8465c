"""The SQL database that workflows are kept in: one SQLite file, or the Postgres that several gateways share.

Blocking: called from the workers' threads, never from the event loop.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from gateway.writes.store import StoreFailed

Rows = list[tuple[Any, ...]]


class Transaction(Protocol):
    """Statements that take effect together or not at all."""

    def __call__(self, statement: str, parameters: Sequence[Any] = ()) -> Rows:
        """Carry out a statement with `?` for each parameter, and return its rows, if it has any."""
        ...


class WorkflowDatabase(Protocol):
    """Raises `StoreFailed` where it can't be used; what was asked was not done then."""

    @property
    def now(self) -> str:
        """SQL for the database's own clock, in seconds since 1970: workers needn't agree on theirs."""
        ...

    @property
    def serial(self) -> str:
        """SQL type of a key that counts up."""
        ...

    @property
    def lock_ledger(self) -> str | None:
        """SQL that makes writers of the evidence take turns until the transaction's end; None where all do anyway."""
        ...

    def transaction(self) -> Any:
        """Return a context manager that gives a `Transaction`, commits at its end and rolls back on an error."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


class SqliteWorkflowDatabase:
    """WAL with synchronous FULL; a connection for each thread."""

    now = "((julianday('now') - 2440587.5) * 86400.0)"
    serial = "INTEGER PRIMARY KEY AUTOINCREMENT"
    lock_ledger: str | None = None

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Take the write lock for all of it."""
        try:
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield lambda statement, parameters=(): connection.execute(statement, parameters).fetchall()
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise StoreFailed(str(error)) from error

    def close(self) -> None:
        """Close the connections of all threads."""
        for connection in self._opened:
            connection.close()

    def _connection(self) -> sqlite3.Connection:
        known: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if known is None:
            known = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None, timeout=30.0)
            known.execute("PRAGMA journal_mode=WAL")
            known.execute("PRAGMA synchronous=FULL")
            self._local.connection = known
            self._opened.append(known)
        return known


def open_database(path: Path, postgres_url: str | None) -> WorkflowDatabase:
    """Return the database that the configuration names."""
    if postgres_url is None:
        return SqliteWorkflowDatabase(path)
    from gateway.writes.workflows.postgres_database import (  # noqa: PLC0415 - an extra that one gateway alone does without
        PostgresWorkflowDatabase,
    )

    return PostgresWorkflowDatabase(postgres_url)


def wall_clock() -> float:
    """Return the present, in seconds since 1970."""
    return time.time()
