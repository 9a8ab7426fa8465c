"""Dead letters of one gateway, in the SQLite file of its event log."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from gateway.events.contracts import BrokenContract
from gateway.events.dead_letters import DeadLetter, DeadLetterCause, RejectedEvent
from gateway.events.sqlite_store import SqliteStore

DEAD_LETTER_TABLES = """
CREATE TABLE IF NOT EXISTS dead_letters (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    fingerprint TEXT NOT NULL UNIQUE,
    event_id TEXT, event_type TEXT, source TEXT,
    rule TEXT NOT NULL,
    message TEXT NOT NULL,
    body BLOB NOT NULL,
    times INTEGER NOT NULL,
    first_seen REAL NOT NULL,
    last_seen REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS dead_letters_by_cause ON dead_letters (event_type, rule);
"""


class SqliteDeadLetters:
    """`DeadLetters` over a `SqliteStore` that was opened with `DEAD_LETTER_TABLES`."""

    def __init__(self, store: SqliteStore, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._store = store
        self._clock = clock

    async def add(self, rejected: Sequence[RejectedEvent]) -> tuple[int, ...]:
        """Keep the events durably and return their numbers. Raises `StoreUnavailable`."""
        now = self._clock().timestamp()

        def insert(db: sqlite3.Connection) -> tuple[int, ...]:
            return tuple(
                db.execute(
                    "INSERT INTO dead_letters"
                    " (fingerprint, event_id, event_type, source, rule, message, body, times, first_seen, last_seen)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, ?)"
                    " ON CONFLICT (fingerprint) DO UPDATE SET times = times + 1, last_seen = excluded.last_seen"
                    " RETURNING number",
                    (
                        hashlib.sha256(letter.body).hexdigest(),
                        letter.event_id,
                        letter.event_type,
                        letter.source,
                        letter.broken.rule,
                        letter.broken.message,
                        letter.body,
                        now,
                        now,
                    ),
                ).fetchone()[0]
                for letter in rejected
            )

        return await self._store.write(insert)

    async def read(self, after: int, limit: int) -> tuple[DeadLetter, ...]:
        """Return letters with numbers above `after`, oldest first."""
        rows = await self._store.read(
            lambda db: db.execute(
                "SELECT number, event_id, event_type, source, rule, message, body, times, first_seen, last_seen"
                " FROM dead_letters WHERE number > ? ORDER BY number LIMIT ?",
                (after, limit),
            ).fetchall()
        )
        return tuple(
            DeadLetter(
                number=row[0],
                rejected=RejectedEvent(
                    event_id=row[1],
                    event_type=row[2],
                    source=row[3],
                    broken=BrokenContract(row[4], row[5]),
                    body=row[6],
                ),
                times=row[7],
                first_seen=datetime.fromtimestamp(row[8], UTC),
                last_seen=datetime.fromtimestamp(row[9], UTC),
            )
            for row in rows
        )

    async def causes(self) -> tuple[DeadLetterCause, ...]:
        """Return the letters grouped by type and rule, the most frequent first."""
        rows = await self._store.read(
            lambda db: db.execute(
                "SELECT event_type, rule, count(*), max(last_seen) FROM dead_letters"
                " GROUP BY event_type, rule ORDER BY count(*) DESC, event_type, rule"
            ).fetchall()
        )
        return tuple(
            DeadLetterCause(
                event_type=row[0], rule=row[1], letters=row[2], last_seen=datetime.fromtimestamp(row[3], UTC)
            )
            for row in rows
        )

    async def discard(self, number: int) -> bool:
        """Forget a letter; False if there is none with this number."""
        return await self._store.write(
            lambda db: db.execute("DELETE FROM dead_letters WHERE number = ?", (number,)).rowcount == 1
        )
