"""Named consumers of a single process: their places lie in the SQLite file of the event log."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from gateway.events.consumers import Consumer, ConsumerState
from gateway.events.event import RecordedEvent
from gateway.events.log import EventFilter, EventLog, PositionExpired
from gateway.events.sqlite_store import SqliteStore

CONSUMER_TABLES = """
CREATE TABLE IF NOT EXISTS consumers (
    name TEXT PRIMARY KEY, position INTEGER NOT NULL, missed INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
"""
_EVERYTHING = EventFilter()


class SqliteConsumers:
    """`Consumers` over a `SqliteStore` that was opened with `CONSUMER_TABLES`."""

    def __init__(self, store: SqliteStore, log: EventLog) -> None:
        self._store = store
        self._log = log

    @asynccontextmanager
    async def serving(self, name: str) -> AsyncIterator[Consumer]:
        """Serve the consumer; nobody else can have the file open."""
        head = self._log.bounds().head

        def start(db: sqlite3.Connection) -> int:
            db.execute("INSERT OR IGNORE INTO consumers (name, position) VALUES (?, ?)", (name, head))
            return int(db.execute("SELECT position FROM consumers WHERE name = ?", (name,)).fetchone()[0])

        yield _SqliteConsumer(self._store, self._log, name, await self._store.write(start))

    async def states(self) -> Sequence[ConsumerState]:
        """Return how far each consumer is, by name."""
        rows = await self._store.read(
            lambda db: db.execute(
                "SELECT name, consumers.position, missed,"
                " (SELECT count(*) FROM events WHERE events.position > consumers.position) FROM consumers ORDER BY name"
            ).fetchall()
        )
        return [
            ConsumerState(name=name, position=position, unacknowledged=0, waiting=waiting, missed=missed)
            for name, position, missed, waiting in rows
        ]


class _SqliteConsumer:
    def __init__(self, store: SqliteStore, log: EventLog, name: str, position: int) -> None:
        self._store = store
        self._log = log
        self._name = name
        self._position = position
        """All up to here were taken."""

    async def take(self, limit: int) -> tuple[RecordedEvent, ...]:
        """Wait for events and return some, oldest first."""
        while True:
            try:
                page = await self._log.read(self._position, _EVERYTHING, limit)
            except PositionExpired:
                await self._miss(self._log.bounds().trimmed)
                continue
            self._position = page.position
            if page.events:
                return page.events
            await self._log.wait(self._position, _EVERYTHING)

    async def acknowledge(self, *positions: int) -> None:
        """Note that the events at these positions, and all before them, are dealt with."""
        parameters = (max(positions), self._name)
        await self._store.write(
            lambda db: db.execute("UPDATE consumers SET position = ? WHERE name = ?", parameters).rowcount
        )

    async def _miss(self, trimmed: int) -> None:
        parameters = (trimmed - self._position, trimmed, self._name)
        await self._store.write(
            lambda db: (
                db.execute("UPDATE consumers SET missed = missed + ?, position = ? WHERE name = ?", parameters).rowcount
            )
        )
        self._position = trimmed
