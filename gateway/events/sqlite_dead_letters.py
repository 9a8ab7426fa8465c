"""Dead letters of one gateway, in the SQLite file of its event log."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from gateway.events.contracts import BrokenContract
from gateway.events.dead_letters import (
    ALL,
    DeadLetter,
    DeadLetterCause,
    DeadLetterFilter,
    DeadLetterState,
    RejectedEvent,
    Settled,
)
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
CREATE TABLE IF NOT EXISTS settled_dead_letters (
    number INTEGER PRIMARY KEY, state TEXT NOT NULL, settled_at REAL NOT NULL, reason TEXT
);
"""

_LETTERS = "dead_letters LEFT JOIN settled_dead_letters USING (number)"
_COLUMNS = (
    "number, event_id, event_type, source, rule, message, body, times, first_seen, last_seen, state, settled_at, reason"
)


class SqliteDeadLetters:
    """`DeadLetters` over a `SqliteStore` that was opened with `DEAD_LETTER_TABLES`."""

    def __init__(self, store: SqliteStore, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._store = store
        self._clock = clock

    async def add(self, rejected: Sequence[RejectedEvent]) -> tuple[int, ...]:
        """Keep the events durably and return their numbers."""
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

    async def read(self, after: int, limit: int, wanted: DeadLetterFilter = ALL) -> tuple[DeadLetter, ...]:
        """Return wanted letters with numbers above `after`, oldest first."""
        where, parameters = _conditions(wanted)
        return await self._select(f"number > ? AND {where} ORDER BY number LIMIT ?", [after, *parameters, limit])

    async def read_back(self, before: int | None, limit: int, wanted: DeadLetterFilter = ALL) -> tuple[DeadLetter, ...]:
        """Return wanted letters with numbers below `before`, or of all, newest first."""
        where, parameters = _conditions(wanted)
        clauses = f"(? IS NULL OR number < ?) AND {where} ORDER BY number DESC LIMIT ?"
        return await self._select(clauses, [before, before, *parameters, limit])

    async def get(self, number: int) -> DeadLetter | None:
        """Return one letter; None if there is none with this number."""
        return next(iter(await self._select("number = ?", [number])), None)

    async def count(self, wanted: DeadLetterFilter = ALL) -> int:
        """Return how many wanted letters are kept."""
        where, parameters = _conditions(wanted)
        statement = f"SELECT count(*) FROM {_LETTERS} WHERE {where}"  # noqa: S608 - only placeholders are put in
        return await self._store.read(lambda db: int(db.execute(statement, parameters).fetchone()[0]))

    async def causes(self) -> tuple[DeadLetterCause, ...]:
        """Return the waiting letters grouped by type and rule, the most frequent first."""
        rows = await self._store.read(
            lambda db: db.execute(
                f"SELECT event_type, rule, count(*), max(last_seen) FROM {_LETTERS} WHERE state IS NULL"  # noqa: S608 - constants
                " GROUP BY event_type, rule ORDER BY count(*) DESC, event_type, rule"
            ).fetchall()
        )
        return tuple(
            DeadLetterCause(event_type=row[0], rule=row[1], letters=row[2], last_seen=_instant(row[3])) for row in rows
        )

    async def settle(self, number: int, state: DeadLetterState, reason: str | None) -> bool:
        """Note what became of a waiting letter; False if none waits under this number."""
        now = self._clock().timestamp()
        return await self._store.write(
            lambda db: (
                db.execute(
                    "INSERT OR IGNORE INTO settled_dead_letters SELECT number, ?, ?, ? FROM dead_letters WHERE number = ?",
                    (state.value, now, reason, number),
                ).rowcount
                == 1
            )
        )

    async def trim(self, settled_before: datetime) -> int:
        """Forget letters that were settled before an instant. Returns how many."""
        old = (settled_before.timestamp(),)

        def delete(db: sqlite3.Connection) -> int:
            chosen = "SELECT number FROM settled_dead_letters WHERE settled_at < ?"
            db.execute(f"DELETE FROM dead_letters WHERE number IN ({chosen})", old)  # noqa: S608 - a constant
            return db.execute("DELETE FROM settled_dead_letters WHERE settled_at < ?", old).rowcount

        return await self._store.write(delete)

    async def _select(self, clauses: str, parameters: list[Any]) -> tuple[DeadLetter, ...]:
        statement = f"SELECT {_COLUMNS} FROM {_LETTERS} WHERE {clauses}"  # noqa: S608 - only placeholders are put in
        rows = await self._store.read(lambda db: db.execute(statement, parameters).fetchall())
        return tuple(map(_letter, rows))


def _conditions(wanted: DeadLetterFilter) -> tuple[str, list[Any]]:
    clauses, parameters = ["TRUE"], []
    if wanted.state is DeadLetterState.WAITING:
        clauses.append("state IS NULL")
    elif wanted.state is not None:
        clauses.append("state = ?")
        parameters.append(wanted.state.value)
    if wanted.event_type is not None:
        clauses.append("event_type = ?")
        parameters.append(wanted.event_type)
    if wanted.rule is not None:
        clauses.append("rule = ?")
        parameters.append(wanted.rule)
    return " AND ".join(clauses), parameters


def _letter(row: tuple[Any, ...]) -> DeadLetter:
    number, event_id, event_type, source, rule, message, body, times, first, last, state, settled_at, reason = row
    return DeadLetter(
        number=number,
        rejected=RejectedEvent(
            event_id=event_id, event_type=event_type, source=source, broken=BrokenContract(rule, message), body=body
        ),
        times=times,
        first_seen=_instant(first),
        last_seen=_instant(last),
        settled=None
        if state is None
        else Settled(state=DeadLetterState(state), at=_instant(settled_at), reason=reason),
    )


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
