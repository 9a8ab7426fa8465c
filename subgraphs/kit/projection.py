"""Our own copy of a vendor's records, for vendors without a batch read: kept fresh by events, read by id or by indexed key.

companies = Projection("subscriptions", indexes={"customer": lambda record: [record["customer"]]})
database = await Database.open(path, (companies.schema,))
changed = await database.run(lambda c: companies.put(c, "sub_1", record, version=1699))
found = await database.run(lambda c: companies.find(c, "customer", ["cus_1", "cus_2"]))
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """What a `put` or `remove` did."""

    before: Record | None
    """The record that was there; None if there was none."""
    after: Record | None
    applied: bool
    """False when the copy was newer already, or the same."""


@dataclass(frozen=True, slots=True)
class Projection:
    """A table of JSON records. Its functions work within a transaction of `Database.run`."""

    name: str
    indexes: Mapping[str, Callable[[Record], Iterable[str]]] = field(default_factory=dict)
    """Index name → the keys under which a record is found."""

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(self.name)

    @property
    def schema(self) -> str:
        """The script that makes the tables."""
        return f"""
            create table if not exists {self.name} (
                id text primary key, version integer not null, record blob
            ) without rowid;
            create table if not exists {self.name}_keys (
                name text not null, key text not null, id text not null, primary key (name, key, id)
            ) without rowid;
            create index if not exists {self.name}_keys_id on {self.name}_keys (id);
        """

    def put(self, connection: sqlite3.Connection, record_id: str, record: Record, *, version: int = 0) -> Change:
        """Store a record unless the copy has a higher version, so that late events can't bring old data back."""
        return self._store(connection, record_id, record, version)

    def remove(self, connection: sqlite3.Connection, record_id: str, *, version: int = 0) -> Change:
        """Forget a record. Its version stays, so that a late event does not bring it back."""
        return self._store(connection, record_id, None, version)

    def get(self, connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, Record]:
        """Return the records that are there, by id."""
        rows = connection.execute(
            f"select id, record from {self.name} where record is not null"  # noqa: S608 - our own identifier
            " and id in (select value from json_each(?))",
            (orjson.dumps(list(ids)).decode(),),
        )
        return {record_id: orjson.loads(record) for record_id, record in rows}

    def versions(self, connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, int]:
        """Return the version of each record that is, or was, there."""
        rows = connection.execute(
            f"select id, version from {self.name} where id in (select value from json_each(?))",  # noqa: S608 - our own identifier
            (orjson.dumps(list(ids)).decode(),),
        )
        return {record_id: int(version) for record_id, version in rows}

    def find(self, connection: sqlite3.Connection, index: str, keys: Sequence[str]) -> dict[str, list[Record]]:
        """Return key → its records, ordered by id; a key without any is left out."""
        rows = connection.execute(
            f"select k.key, r.record from {self.name}_keys k join {self.name} r on r.id = k.id"  # noqa: S608 - our own identifier
            " where k.name = ? and k.key in (select value from json_each(?)) order by k.key, k.id",
            (index, orjson.dumps(list(keys)).decode()),
        )
        found: dict[str, list[Record]] = {}
        for key, record in rows:
            found.setdefault(key, []).append(orjson.loads(record))
        return found

    def all(self, connection: sqlite3.Connection) -> list[Record]:
        """Return every record, ordered by id."""
        rows = connection.execute(f"select record from {self.name} where record is not null order by id")  # noqa: S608 - our own identifier
        return [orjson.loads(record) for (record,) in rows]

    def ids(self, connection: sqlite3.Connection) -> list[str]:
        """Return the ids of all records, in order."""
        rows = connection.execute(f"select id from {self.name} where record is not null order by id")  # noqa: S608 - our own identifier
        return [row[0] for row in rows]

    def count(self, connection: sqlite3.Connection) -> int:
        """How many records there are."""
        row = connection.execute(f"select count(*) from {self.name} where record is not null").fetchone()  # noqa: S608 - our own identifier
        return int(row[0])

    def _store(self, connection: sqlite3.Connection, record_id: str, record: Record | None, version: int) -> Change:
        row = connection.execute(
            f"select version, record from {self.name} where id = ?",  # noqa: S608 - our own identifier
            (record_id,),
        ).fetchone()
        before = orjson.loads(row[1]) if row and row[1] is not None else None
        if (row and row[0] > version) or (row and before == record):
            return Change(before, before, applied=False)
        connection.execute(
            f"insert into {self.name} (id, version, record) values (?, ?, ?)"  # noqa: S608 - our own identifier
            " on conflict (id) do update set version = excluded.version, record = excluded.record",
            (record_id, version, None if record is None else orjson.dumps(record)),
        )
        connection.execute(f"delete from {self.name}_keys where id = ?", (record_id,))  # noqa: S608 - our own identifier
        if record is not None:
            connection.executemany(
                f"insert or ignore into {self.name}_keys (name, key, id) values (?, ?, ?)",  # noqa: S608 - our own identifier
                [(name, key, record_id) for name, keys_of in self.indexes.items() for key in keys_of(record)],
            )
        return Change(before, record, applied=True)
