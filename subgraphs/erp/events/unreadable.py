"""Rows that could not be read when they changed: kept by the feed that met them, so that they are heard of once they can.

A row that is mended in the ERP is polled anew by its stamp; one whose currency or party is mended, or that a newer mapping can
read, carries the stamp that it had.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from subgraphs.erp.port import UnreadableRow
from subgraphs.kit.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingRow:
    """A row that is to be looked at again."""

    id: str
    stamp: str
    is_history: bool
    """Whether nobody is to be told what it was before the feed looked for the first time."""


class UnreadableRows:
    """What is to be looked at again, by feed."""

    SCHEMA = """
        create table if not exists unreadable_row (
            feed text not null, id text not null, stamp text not null, is_history integer not null,
            primary key (feed, id)
        ) without rowid;
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(self, feed: str, rows: Sequence[UnreadableRow], *, is_history: bool) -> None:
        """Keep rows. What is history, which nobody is to be told of, stays so until it changes."""

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "insert into unreadable_row values (?, ?, ?, ?) on conflict (feed, id) do update set"
                " is_history = is_history and stamp = excluded.stamp, stamp = excluded.stamp",
                [(feed, row.id, row.stamp, int(is_history)) for row in rows],
            )

        if rows:
            await self._database.run(work)

    async def of(self, feed: str) -> Mapping[str, WaitingRow]:
        """Return the rows that are kept, by id."""

        def work(connection: sqlite3.Connection) -> Mapping[str, WaitingRow]:
            rows = connection.execute(
                "select id, stamp, is_history from unreadable_row where feed = ? order by id", (feed,)
            )
            return {row[0]: WaitingRow(id=row[0], stamp=row[1], is_history=bool(row[2])) for row in rows}

        return await self._database.run(work)

    async def forget(self, feed: str, rows: Iterable[WaitingRow]) -> None:
        """Keep rows no more, unless they have changed once more meanwhile and could not be read again."""
        known = [(feed, row.id, row.stamp) for row in rows]
        delete = "delete from unreadable_row where feed = ? and id = ? and stamp = ?"
        await self._database.run(lambda connection: connection.executemany(delete, known))
