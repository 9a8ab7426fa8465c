"""The event log of a single process: one SQLite file in WAL mode."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import orjson

from gateway.events.event import Event, RecordedEvent, parse_event, print_event
from gateway.events.log import Appended, EventFilter, EventPage, LogBounds, PositionExpired
from gateway.events.meter import EventMeter
from gateway.events.recent import RecentEvents
from gateway.events.sqlite_store import SqliteStore
from gateway.events.waiters import Waiters

EVENT_TABLES = """
CREATE TABLE IF NOT EXISTS log (log_id TEXT NOT NULL, trimmed INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    type TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    recorded_at REAL NOT NULL,
    envelope BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS events_by_type ON events (type, position);
CREATE TABLE IF NOT EXISTS event_keys (
    name TEXT NOT NULL, value TEXT NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (name, value, position)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS event_keys_by_position ON event_keys (position);
CREATE TABLE IF NOT EXISTS subjects (subject TEXT PRIMARY KEY, sequence INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS event_ids (id TEXT PRIMARY KEY, recorded_at REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS event_ids_by_age ON event_ids (recorded_at);
"""

_TRIM_CHUNK = 2_000
"""Events deleted in one transaction, so that publishers are not kept waiting."""

_Parameters: TypeAlias = list[Any]


class SqliteEventLog:
    """`EventLog` over a `SqliteStore` that was opened with `EVENT_TABLES`."""

    def __init__(
        self,
        store: SqliteStore,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        id_memory: timedelta = timedelta(days=90),
        meter: EventMeter | None = None,
    ) -> None:
        """Use the store's tables, new or old. `id_memory` is how long a trimmed event's id still tells duplicates."""
        self._store = store
        self._clock = clock
        self._id_memory = id_memory
        self._waiters = Waiters(meter or EventMeter())
        self._bounds = store.read_now(_read_bounds) or LogBounds(log_id="", trimmed=0, head=0)
        self._recent = RecentEvents(self._bounds.head)

    async def start(self) -> None:
        """Name a new log. To be awaited once, before anything else."""
        if not self._bounds.log_id:
            log_id = secrets.token_hex(4)
            await self._store.write(lambda db: db.execute("INSERT INTO log VALUES (?, 0)", (log_id,)).rowcount)
            self._bounds = LogBounds(log_id=log_id, trimmed=0, head=0)

    def bounds(self) -> LogBounds:
        """Return what the log holds; of events being written, what has been announced to readers."""
        return self._bounds

    async def append(self, events: Sequence[Event]) -> Appended:
        """Keep the events durably, in this order; one transaction. Raises `StoreUnavailable`."""
        envelopes = [(event, orjson.dumps(print_event(event))) for event in events]
        recorded = await self._store.write(lambda db: self._insert(db, envelopes), self._announce)
        return Appended(accepted=len(recorded), duplicates=len(events) - len(recorded))

    async def read(self, after: int, wanted: EventFilter, limit: int) -> EventPage:
        """Return at most `limit` wanted events after a position. Raises `PositionExpired`, `StoreUnavailable`."""
        if after >= self._bounds.trimmed:
            page = self._recent.read(after, wanted, limit, head=self._bounds.head)
            if page is not None:
                return page
        return await self._store.read(lambda db: _select_after(db, after, wanted, limit))

    async def read_back(self, before: int | None, wanted: EventFilter, limit: int) -> tuple[RecordedEvent, ...]:
        """Return the newest wanted events before a position, or of all, newest first."""

        def select(db: sqlite3.Connection) -> tuple[RecordedEvent, ...]:
            where, parameters = _conditions(wanted)
            if before is not None:
                where, parameters = f"position < ? AND {where}", [before, *parameters]
            return _select(db, f"WHERE {where} ORDER BY position DESC LIMIT ?", [*parameters, limit])

        return await self._store.read(select)

    async def wait(self, after: int, wanted: EventFilter) -> int:
        """Return once a wanted event may exist after a position, with a position to read it from."""
        if after < self._bounds.head:
            return after
        return await self._waiters.wait(after, wanted)

    async def count(self, wanted: EventFilter) -> int:
        """Return how many wanted events are kept."""
        where, parameters = _conditions(wanted)
        statement = f"SELECT count(*) FROM events WHERE {where}"  # noqa: S608 - only placeholders are put in
        return await self._store.read(lambda db: int(db.execute(statement, parameters).fetchone()[0]))

    async def trim(self, recorded_before: datetime) -> int:
        """Forget the oldest events, up to the first one recorded at or after an instant. Returns how many."""
        forgotten = 0
        while deleted := await self._store.write(lambda db: self._delete(db, recorded_before), self._set_trimmed):
            forgotten += deleted[1]
        return forgotten

    def _insert(self, db: sqlite3.Connection, envelopes: list[tuple[Event, bytes]]) -> list[RecordedEvent]:
        recorded: list[RecordedEvent] = []
        now = self._clock()
        for event, envelope in envelopes:
            if not db.execute("INSERT OR IGNORE INTO event_ids VALUES (?, ?)", (event.id, now.timestamp())).rowcount:
                continue
            (sequence,) = db.execute(
                "INSERT INTO subjects VALUES (?, 1) ON CONFLICT DO UPDATE SET sequence = sequence + 1"
                " RETURNING sequence",
                (event.subject,),
            ).fetchone()
            position = db.execute(
                "INSERT INTO events (type, sequence, recorded_at, envelope) VALUES (?, ?, ?, ?)",
                (event.type, sequence, now.timestamp(), envelope),
            ).lastrowid
            assert position is not None
            db.executemany(
                "INSERT INTO event_keys VALUES (?, ?, ?)", [(name, key, position) for name, key in event.keys.items()]
            )
            recorded.append(RecordedEvent(event=event, position=position, sequence=sequence, recorded_at=now))
        return recorded

    def _announce(self, recorded: list[RecordedEvent]) -> None:
        if not recorded:
            return
        self._recent.extend(recorded)
        self._bounds = LogBounds(log_id=self._bounds.log_id, trimmed=self._bounds.trimmed, head=recorded[-1].position)
        self._waiters.announce(recorded)

    def _delete(self, db: sqlite3.Connection, recorded_before: datetime) -> tuple[int, int] | None:
        """Delete one chunk; return the position it reached and the count."""
        instant = recorded_before.timestamp()
        db.execute("DELETE FROM event_ids WHERE recorded_at < ?", (instant - self._id_memory.total_seconds(),))
        positions = []
        for position, recorded_at in db.execute(
            "SELECT position, recorded_at FROM events ORDER BY position LIMIT ?", (_TRIM_CHUNK,)
        ):
            if recorded_at >= instant:
                break
            positions.append(position)
        if not positions:
            return None
        db.execute("DELETE FROM event_keys WHERE position <= ?", (positions[-1],))
        db.execute("DELETE FROM events WHERE position <= ?", (positions[-1],))
        db.execute("UPDATE log SET trimmed = ?", (positions[-1],))
        return positions[-1], len(positions)

    def _set_trimmed(self, deleted: tuple[int, int] | None) -> None:
        if deleted is not None:
            self._bounds = LogBounds(log_id=self._bounds.log_id, trimmed=deleted[0], head=self._bounds.head)


def _read_bounds(db: sqlite3.Connection) -> LogBounds | None:
    row = db.execute("SELECT log_id, trimmed FROM log").fetchone()
    if row is None:
        return None
    head = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
    return LogBounds(log_id=row[0], trimmed=row[1], head=head[0] if head else 0)


def _select_after(db: sqlite3.Connection, after: int, wanted: EventFilter, limit: int) -> EventPage:
    bounds = _read_bounds(db)
    if bounds is None or after < bounds.trimmed:
        raise PositionExpired
    where, parameters = _conditions(wanted)
    events = _select(db, f"WHERE position > ? AND {where} ORDER BY position LIMIT ?", [after, *parameters, limit])
    if len(events) == limit:
        return EventPage(events=events, position=events[-1].position, complete=False)
    return EventPage(events=events, position=max(after, bounds.head), complete=True)


def _conditions(wanted: EventFilter) -> tuple[str, _Parameters]:
    """Return a WHERE clause for a filter and its parameters."""
    clauses: list[str] = []
    parameters: _Parameters = []
    if wanted.types is not None:
        clauses.append(f"type IN ({_placeholders(wanted.types)})")
        parameters.extend(sorted(wanted.types))
    if wanted.systems is not None:
        source = "json_extract(CAST(envelope AS TEXT), '$.source') || '/'"
        ors = " OR ".join(f"{source} LIKE ?" for _ in wanted.systems)
        clauses.append(f"({ors or 'FALSE'})")
        parameters.extend(f"concord/{system}/%" for system in sorted(wanted.systems))
    for name, values in wanted.keys.items():
        clauses.append(
            f"position IN (SELECT position FROM event_keys WHERE name = ? AND value IN ({_placeholders(values)}))"  # noqa: S608
        )
        parameters.extend((name, *sorted(values)))
    return " AND ".join(clauses) or "TRUE", parameters


def _placeholders(values: frozenset[str]) -> str:
    return ", ".join("?" * len(values))


def _select(db: sqlite3.Connection, clauses: str, parameters: _Parameters) -> tuple[RecordedEvent, ...]:
    rows = db.execute(f"SELECT position, sequence, recorded_at, envelope FROM events {clauses}", parameters)  # noqa: S608
    return tuple(
        RecordedEvent(
            event=parse_event(orjson.loads(envelope)),
            position=position,
            sequence=sequence,
            recorded_at=datetime.fromtimestamp(recorded_at, UTC),
        )
        for position, sequence, recorded_at, envelope in rows
    )
