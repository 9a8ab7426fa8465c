"""A database that replicas without a common disk share: each has all of it in an SQLite file, and Redis orders the changes.

A transaction runs on this replica's file, which has first taken over what others did. One that changed something is told
to Redis as its statements, under the next number; if another replica took that number meanwhile, it is rolled back and run
again on what that one left. Only what Redis took is committed here. So there is one order of all changes, nothing is read
that is not in it, and a replica that dies after Redis was told has lost nothing: the others have it, and so has it, later.

A replica that is new, or was away for long, takes over a whole copy. `work` of `run` may be carried out more than once.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Self, TypeVar

import redis

from subgraphs.kit.database import Database, connect_as, prepare
from subgraphs.kit.shared_changes import SharedChanges, Statement
from subgraphs.kit.system_error import FieldError, Outcome

ResultT = TypeVar("ResultT")
_log = logging.getLogger(__name__)
_COPY_EVERY = 500
"""Changes after which a whole copy is kept."""
_PLACE = "create table if not exists shared_place (epoch text not null, number integer not null);"


class StoreUnavailableError(FieldError):
    """Redis does not answer; whether it took the change, nobody knows."""

    code = "STORE_UNAVAILABLE"
    retryable = True


class _Noting(sqlite3.Connection):
    """A connection that notes the statements that may change something."""

    noted: list[Statement] | None = None

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        self._note(sql, parameters)
        return super().execute(sql, parameters)

    def executemany(self, sql: str, rows: Iterable[Any], /) -> sqlite3.Cursor:
        every = list(rows)
        for row in every:
            self._note(sql, row)
        return super().executemany(sql, every)

    def _note(self, sql: str, parameters: Any) -> None:
        if self.noted is not None and not sql.lstrip()[:6].lower().startswith("select"):
            self.noted.append((sql, dict(parameters) if isinstance(parameters, Mapping) else tuple(parameters)))


class SharedDatabase(Database):
    """A `Database` that other replicas have as well. `run` raises `StoreUnavailableError`."""

    def __init__(
        self, connection: _Noting, thread: ThreadPoolExecutor, schemas: Sequence[str], changes: SharedChanges
    ) -> None:
        super().__init__(connection, thread)
        self._file = connection
        self._schemas = schemas
        self._changes = changes

    @classmethod
    async def open_shared(cls, path: Path, schemas: Sequence[str], *, redis_url: str, name: str) -> Self:
        """Open this replica's file of the database `name`, and take over what the others did when something is run."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="database")

        def start() -> _Noting:
            connection = connect_as(_Noting, path)
            prepare(connection, (_PLACE, *schemas))
            return connection

        connection = await asyncio.get_running_loop().run_in_executor(thread, start)
        return cls(connection, thread, (_PLACE, *schemas), SharedChanges(redis_url, name))

    def transact(self, work: Callable[[sqlite3.Connection], ResultT]) -> ResultT:
        """Return what `work` returns, done on all that any replica did before."""
        file = self._file
        try:
            while True:
                epoch, number = self._catch_up()
                before = file.total_changes
                file.execute("begin immediate")
                try:
                    file.noted = []
                    result = work(file)
                    noted, file.noted = file.noted, None
                    is_change = file.total_changes != before
                    if is_change:
                        file.execute("update shared_place set number = ?", (number + 1,))
                        if not self._changes.take(epoch, number + 1, noted):
                            file.execute("rollback")
                            continue
                except BaseException:
                    file.noted = None
                    file.execute("rollback")
                    raise
                file.execute("commit")
                if is_change and (number + 1) % _COPY_EVERY == 0:
                    self._changes.keep_copy(epoch, number + 1, _image(file))
                return result
        except (redis.RedisError, OSError) as error:
            message = "The store that replicas share does not answer."
            raise StoreUnavailableError(message, outcome=Outcome.UNKNOWN) from error

    def finish(self) -> None:
        """Close the file and the connection to Redis."""
        super().finish()
        self._changes.close()

    def _catch_up(self) -> tuple[str, int]:
        """Take over what others did; return where the file is."""
        while True:
            row = self._file.execute("select epoch, number from shared_place").fetchone()
            epoch, number = (str(row[0]), int(row[1])) if row else ("", 0)
            missed = self._changes.missed(epoch, number)
            if missed.epoch is None or (missed.epoch == epoch and missed.head < number):
                # Redis is new, or came back without its last changes: what this file has is what there is.
                self._begin_epoch(missed.epoch, number)
            elif missed.epoch == epoch and missed.head == number:
                return epoch, number
            elif missed.epoch == epoch and missed.changes and missed.changes[0][0] == number + 1:
                self._apply(missed.changes)
            else:
                self._take_copy(missed.epoch)

    def _begin_epoch(self, before: str | None, number: int) -> None:
        epoch = secrets.token_hex(4)
        self._file.execute("delete from shared_place")
        self._file.execute("insert into shared_place values (?, ?)", (epoch, number))
        self._changes.keep_copy(epoch, number, _image(self._file))
        if self._changes.begin(before, epoch, number):
            _log.info("This replica begins a shared store with what it has.")

    def _take_copy(self, epoch: str) -> None:
        image = self._changes.copy(epoch)
        if image is None:
            raise redis.RedisError("the copy of the shared store is gone")
        with closing(sqlite3.connect(":memory:")) as copy:
            copy.deserialize(image)
            copy.backup(self._file)
        prepare(self._file, self._schemas)
        _log.info("This replica took over a copy of the shared store.")

    def _apply(self, changes: Sequence[tuple[int, Sequence[Statement]]]) -> None:
        self._file.execute("begin immediate")
        try:
            for number, statements in changes:
                for sql, parameters in statements:
                    self._file.execute(sql, parameters)
                self._file.execute("update shared_place set number = ?", (number,))
        except BaseException:
            self._file.execute("rollback")
            raise
        self._file.execute("commit")


def _image(connection: sqlite3.Connection) -> bytes:
    with closing(sqlite3.connect(":memory:")) as copy:
        connection.backup(copy)
        image = bytearray(copy.serialize())
    # Written in WAL mode, which a database in memory can't be opened in. https://www.sqlite.org/fileformat.html#file_format_version_numbers
    image[18:20] = b"\x01\x01"
    return bytes(image)
