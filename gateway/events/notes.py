"""Small durable records beside the log: states by name, and journals of what was done lately."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Protocol

from gateway.events.sqlite_store import SqliteStore

NOTE_TABLES = """
CREATE TABLE IF NOT EXISTS notes (
    shelf TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (shelf, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS journals (
    number INTEGER PRIMARY KEY AUTOINCREMENT, journal TEXT NOT NULL, entry BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS journals_by_name ON journals (journal, number);
"""


class Notes(Protocol):
    """The store of small records. All raise `StoreUnavailable`; what was written outlives a crash."""

    async def put(self, shelf: str, name: str, body: bytes) -> None:
        """Keep a record under a name, in place of the one before."""
        ...

    async def all(self, shelf: str) -> Mapping[str, bytes]:
        """Return a shelf's records by name."""
        ...

    async def remove(self, shelf: str, name: str) -> None:
        """Forget a record, if there is one."""
        ...

    async def write_down(self, journal: str, entry: bytes, *, most: int) -> None:
        """Add an entry to a journal, which keeps the last `most` of them."""
        ...

    async def last(self, journal: str, limit: int) -> tuple[bytes, ...]:
        """Return a journal's newest entries, newest first."""
        ...


class SqliteNotes:
    """`Notes` over a `SqliteStore` that was opened with `NOTE_TABLES`."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store

    async def put(self, shelf: str, name: str, body: bytes) -> None:
        """Keep a record under a name."""
        await self._store.write(
            lambda db: db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?, ?)", (shelf, name, body)).rowcount
        )

    async def all(self, shelf: str) -> Mapping[str, bytes]:
        """Return a shelf's records by name."""
        rows = await self._store.read(
            lambda db: db.execute("SELECT name, body FROM notes WHERE shelf = ? ORDER BY name", (shelf,)).fetchall()
        )
        return dict(rows)

    async def remove(self, shelf: str, name: str) -> None:
        """Forget a record, if there is one."""
        await self._store.write(
            lambda db: db.execute("DELETE FROM notes WHERE shelf = ? AND name = ?", (shelf, name)).rowcount
        )

    async def write_down(self, journal: str, entry: bytes, *, most: int) -> None:
        """Add an entry to a journal, which keeps the last `most` of them."""

        def write(db: sqlite3.Connection) -> None:
            db.execute("INSERT INTO journals (journal, entry) VALUES (?, ?)", (journal, entry))
            db.execute(
                "DELETE FROM journals WHERE journal = ? AND number <= "
                "(SELECT number FROM journals WHERE journal = ? ORDER BY number DESC LIMIT 1 OFFSET ?)",
                (journal, journal, most),
            )

        await self._store.write(write)

    async def last(self, journal: str, limit: int) -> tuple[bytes, ...]:
        """Return a journal's newest entries, newest first."""
        statement = "SELECT entry FROM journals WHERE journal = ? ORDER BY number DESC LIMIT ?"
        rows = await self._store.read(lambda db: db.execute(statement, (journal, limit)).fetchall())
        return tuple(row[0] for row in rows)
