"""The account's objects, events, idempotency keys and meter events in one SQLite file.

Not the kit's `State`: Stripe's lists are ordered and filtered over tens of thousands of invoices and meter events, and a
request refused half-way is common, so both come from SQLite's indexes and transactions rather than from memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import orjson

from subgraphs.kit.database import connect

StripeObject: TypeAlias = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS object (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, created INTEGER NOT NULL,
  parent TEXT, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS object_listing ON object (kind, created, seq);
CREATE INDEX IF NOT EXISTS object_parent ON object (kind, parent, created, seq);
CREATE TABLE IF NOT EXISTS idempotency (
  key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, status INTEGER NOT NULL, body BLOB NOT NULL, created INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS meter_event (
  identifier TEXT PRIMARY KEY, event_name TEXT NOT NULL, customer TEXT NOT NULL, at INTEGER NOT NULL, value TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS meter_event_window ON meter_event (event_name, customer, at);
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A page of a list: at most `limit` objects after or before another one, newest first."""

    limit: int = 10
    starting_after: str | None = None
    ending_before: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """What a list answers: objects newest first, and whether more lie beyond in the direction of travel."""

    data: list[StripeObject]
    has_more: bool


class Store:
    """Objects by id and by kind, newest first. `parent` is the one object each kind is most often listed by."""

    def __init__(self, path: Path | str) -> None:
        self._db = connect(path)
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: a request that is refused half-way leaves no trace."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def fact(self, name: str) -> str | None:
        """Return a remembered fact about the whole account, such as the seed it was filled from."""
        row = self._db.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def remember(self, name: str, value: str) -> None:
        """Remember a fact."""
        self._db.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (name, value))

    def clear(self) -> None:
        """Forget everything, as before the account is filled for another seed."""
        for table in ("object", "idempotency", "meter_event", "fact"):
            self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names

    def put(self, body: StripeObject, *, parent: str | None = None) -> StripeObject:
        """Insert or replace an object; a replaced one keeps its place in lists."""
        self._db.execute(
            "INSERT INTO object (id, kind, created, parent, body) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET body = excluded.body, parent = coalesce(excluded.parent, parent)",
            (body["id"], body["object"], body.get("created", 0), parent, orjson.dumps(body)),
        )
        return body

    def get(self, object_id: str, kind: str | None = None) -> StripeObject | None:
        """Return the object with that id (and kind), or None."""
        row = self._db.execute("SELECT kind, body FROM object WHERE id = ?", (object_id,)).fetchone()
        if row is None or (kind is not None and row[0] != kind):
            return None
        body: StripeObject = orjson.loads(row[1])
        return body

    def delete(self, object_id: str) -> None:
        """Forget an object."""
        self._db.execute("DELETE FROM object WHERE id = ?", (object_id,))

    def all(self, kind: str, *, parent: str | None = None) -> list[StripeObject]:
        """Return every object of a kind, oldest first."""
        sql, args = "SELECT body FROM object WHERE kind = ?", [kind]
        if parent is not None:
            sql, args = f"{sql} AND parent = ?", [*args, parent]
        return [orjson.loads(row[0]) for row in self._db.execute(f"{sql} ORDER BY created, seq", args)]

    def page(
        self,
        kind: str,
        window: Window,
        *,
        parent: str | None = None,
        where: Mapping[str, Any] | None = None,
        created: Mapping[str, int] | None = None,
    ) -> Page:
        """Return one page. `where` compares members of the body by JSON path (a sequence means any of);
        `created` holds bounds by gt, gte, lt, lte.
        """
        clauses, args = ["kind = ?"], [kind]  # type: list[str], list[Any]
        if parent is not None:
            clauses.append("parent = ?")
            args.append(parent)
        for path, wanted in (where or {}).items():
            choices = list(wanted) if isinstance(wanted, Sequence) and not isinstance(wanted, str) else [wanted]
            clauses.append(f"json_extract(body, ?) IN ({', '.join('?' * len(choices))})")
            args += [f"$.{path}", *choices]
        for bound, sign in (("gt", ">"), ("gte", ">="), ("lt", "<"), ("lte", "<=")):
            if created and bound in created:
                clauses.append(f"created {sign} ?")
                args.append(created[bound])
        backwards = window.ending_before is not None
        anchor = window.ending_before or window.starting_after
        if anchor is not None:
            clauses.append(f"(created, seq) {'>' if backwards else '<'} (SELECT created, seq FROM object WHERE id = ?)")  # noqa: S608 - one of two signs
            args.append(anchor)
        order = "ASC" if backwards else "DESC"
        rows = self._db.execute(
            f"SELECT body FROM object WHERE {' AND '.join(clauses)} ORDER BY created {order}, seq {order} LIMIT ?",  # noqa: S608 - our own words
            [*args, window.limit + 1],
        ).fetchall()
        data = [orjson.loads(row[0]) for row in rows[: window.limit]]
        return Page(data[::-1] if backwards else data, len(rows) > window.limit)

    def remembered_answer(self, key: str) -> tuple[str, int, bytes] | None:
        """Return (fingerprint, status, body) of the request first sent with this idempotency key."""
        row = self._db.execute("SELECT fingerprint, status, body FROM idempotency WHERE key = ?", (key,)).fetchone()
        return None if row is None else (str(row[0]), int(row[1]), bytes(row[2]))

    def remember_answer(self, key: str, fingerprint: str, status: int, body: bytes, now: int) -> None:
        """Keep an answer for replay and forget those older than a day."""
        self._db.execute("DELETE FROM idempotency WHERE created < ?", (now - 86_400,))
        self._db.execute(
            "INSERT OR REPLACE INTO idempotency VALUES (?, ?, ?, ?, ?)", (key, fingerprint, status, body, now)
        )

    def record_meter_events(self, rows: Iterable[tuple[str, str, str, int, str]]) -> int:
        """Insert (identifier, event name, customer, unix time, value); a known identifier is ignored. Return how many were new."""
        before = self._db.total_changes
        self._db.executemany("INSERT OR IGNORE INTO meter_event VALUES (?, ?, ?, ?, ?)", rows)
        return self._db.total_changes - before

    def meter_values(self, event_name: str, customer: str, start: int, end: int) -> list[tuple[int, Decimal]]:
        """Return (time, value) of the meter events in [start, end)."""
        rows = self._db.execute(
            "SELECT at, value FROM meter_event WHERE event_name = ? AND customer = ? AND at >= ? AND at < ? ORDER BY at",
            (event_name, customer, start, end),
        )
        return [(int(at), Decimal(value)) for at, value in rows]
