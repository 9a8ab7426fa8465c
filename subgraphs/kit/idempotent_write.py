"""Writes that can be repeated safely, for vendors without an idempotency key of their own.

    answer = await writes.run(key, {"mutation": "setCreditHold", "input": {…}}, write, look_up=found_by_external_key)

Same key and same arguments: the first answer again. Same key, other arguments: IdempotencyKeyReusedError. A write whose
outcome is unknown is looked up before anything is sent again.
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson

from subgraphs.kit.database import Database
from subgraphs.kit.system_error import FieldError, IdempotencyInProgressError, IdempotencyKeyReusedError, Outcome

_KEPT_S = 24 * 3600
_LEASE_S = 60.0
"""A running write whose process died is in doubt after this."""

Json = Any


class IdempotentWrites:
    """The answers of this subgraph's writes, by key, for a day."""

    SCHEMA = """
        create table if not exists idempotent_write (
            key text primary key, arguments text not null, state text not null, answer blob, at real not null
        );
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(
        self,
        key: str | None,
        arguments: Mapping[str, Json],
        write: Callable[[], Awaitable[Json]],
        *,
        look_up: Callable[[], Awaitable[Json | None]] | None = None,
    ) -> Json:
        """Return the write's JSON answer. Without a key it is simply carried out.

        `write` sends the write and no more: an error of it without an `outcome` counts as "nothing was done", so the
        re-read of the changed object belongs after `run`.
        `look_up` finds the effect of an earlier try whose outcome is unknown: its answer, or None if there was none.
        Raises IdempotencyInProgressError, IdempotencyKeyReusedError, and whatever `write` raises.
        """
        if key is None:
            return await write()
        digest = hashlib.sha256(orjson.dumps(arguments, option=orjson.OPT_SORT_KEYS)).hexdigest()
        state, answer = await self._database.run(lambda connection: _claim(connection, key, digest))
        match state:
            case "done":
                return orjson.loads(answer)
            case "reused":
                raise IdempotencyKeyReusedError("This key was used for another write.", outcome=Outcome.NOT_APPLIED)
            case "running":
                raise IdempotencyInProgressError("The same write is still running.", outcome=Outcome.IN_PROGRESS)
            case "in_doubt" if look_up is not None:
                found = await self._guarded(key, look_up)
                if found is not None:
                    return await self._finish(key, found)
            case _:
                pass
        return await self._finish(key, await self._guarded(key, write))

    async def _guarded(self, key: str, work: Callable[[], Awaitable[Json]]) -> Json:
        """Carry out; whatever happens, leave the key free (nothing was done) or in doubt (something may have been)."""
        try:
            return await work()
        except FieldError as error:
            nothing_done = error.outcome in {None, Outcome.NOT_APPLIED}
            await self._database.run(lambda connection: _release(connection, key, nothing_done=nothing_done))
            raise
        except BaseException:
            await self._database.run(lambda connection: _release(connection, key, nothing_done=False))
            raise

    async def _finish(self, key: str, answer: Json) -> Json:
        await self._database.run(
            lambda c: c.execute(
                "update idempotent_write set state = 'done', answer = ?, at = ? where key = ?",
                (orjson.dumps(answer), time.time(), key),
            )
        )
        return answer


def _claim(connection: sqlite3.Connection, key: str, digest: str) -> tuple[str, bytes]:
    at = time.time()
    connection.execute("delete from idempotent_write where at < ?", (at - _KEPT_S,))
    row = connection.execute(
        "select arguments, state, answer, at from idempotent_write where key = ?", (key,)
    ).fetchone()
    if row is None:
        connection.execute("insert into idempotent_write values (?, ?, 'running', null, ?)", (key, digest, at))
        return "new", b""
    known, state, answer, since = row
    if known != digest:
        return "reused", b""
    if state == "done":
        return "done", bytes(answer)
    if state == "running" and at - since < _LEASE_S:
        return "running", b""
    connection.execute("update idempotent_write set state = 'running', at = ? where key = ?", (at, key))
    return "in_doubt", b""


def _release(connection: sqlite3.Connection, key: str, *, nothing_done: bool) -> None:
    if nothing_done:
        connection.execute("delete from idempotent_write where key = ?", (key,))
    else:
        connection.execute("update idempotent_write set state = 'in_doubt' where key = ?", (key,))
