"""Writes that can be repeated safely, for vendors without an idempotency key of their own.

    answer = await writes.run(key, {"mutation": "setCreditHold", "input": {…}}, write, look_up=found_by_external_key)

Same key and same arguments: the first answer again. Same key, other arguments: IdempotencyKeyReusedError. A write whose
outcome is unknown is looked up before anything is sent again.

A write that takes another one back names that one's key in `undoes`: the key is closed first, so that a request which was
delayed on its way can't take effect after it was undone.
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import orjson

from subgraphs.kit.database import Database
from subgraphs.kit.replica import Peer
from subgraphs.kit.system_error import (
    ConflictError,
    FieldError,
    IdempotencyInProgressError,
    IdempotencyKeyReusedError,
    Outcome,
)
from subgraphs.kit.write_effects import watching_effects

_KEPT_S = 24 * 3600
_CLOSED_KEPT_S = 30 * 24 * 3600
_LEASE_S = 60.0
"""A running write whose task died is in doubt after this."""
_SETTLES_S = 2.0
"""A write that may still be on its way to the vendor is not looked up before this."""

_REFUSALS = frozenset({"BAD_USER_INPUT", "CONFLICT", "FORBIDDEN", "NOT_FOUND", "SYSTEM_REJECTED"})
"""What is said of the write itself and not of the moment: it is not done, whatever became of an earlier try."""

Json = Any


class IdempotentWrites:
    """The answers of this subgraph's writes, by key, for a day."""

    SCHEMA = """
        create table if not exists idempotent_write (
            key text primary key, arguments text not null, state text not null, answer blob, at real not null
        );
        create table if not exists running_write (key text primary key, replica integer not null) without rowid;
    """

    def __init__(self, database: Database, replica: Peer | None = None) -> None:
        """`replica` is this process among those that share the database; None where there are no others."""
        self._database = database
        self._replica = replica
        self._knows_the_dead = False

    async def run(
        self,
        key: str | None,
        arguments: Mapping[str, Json],
        write: Callable[[], Awaitable[Json]],
        *,
        look_up: Callable[[], Awaitable[Json | None]] | None = None,
        in_doubt: Callable[[], None] | None = None,
        undoes: str | None = None,
    ) -> Json:
        """Return the write's JSON answer. Without a key it is simply carried out.

        An error of `write` says what became of the whole of it: nothing was done (NOT_APPLIED), which sets the key free,
        only if no request before the failure had an effect; otherwise it is UNKNOWN, and the key in doubt.
        `look_up` finds the effect of an earlier try whose outcome is unknown: its answer, or None if there was none.
        Without it `write` finds by itself what was done, or its vendor knows the key; `in_doubt` is called before such a
        repetition. Re-reading the changed object belongs after `run`, in `after_write`.
        Raises IdempotencyInProgressError, IdempotencyKeyReusedError, and whatever `write` raises.
        """
        await self._bury_the_dead()
        if undoes is not None:
            await self._close(undoes)
        if key is None:
            with _telling_outcome(is_repeatable=False):
                return await write()
        digest = hashlib.sha256(orjson.dumps(arguments, option=orjson.OPT_SORT_KEYS)).hexdigest()
        number = self._replica.number if self._replica else 0
        state, answer = await self._database.run(lambda connection: _claim(connection, key, digest, number))
        if state == "running" and await self._is_left(key):
            state, answer = await self._database.run(lambda connection: _claim(connection, key, digest, number))
        is_open = state == "in_doubt"
        match state:
            case "done":
                return orjson.loads(answer)
            case "reused":
                raise IdempotencyKeyReusedError("This key was used for another write.", outcome=Outcome.NOT_APPLIED)
            case "running":
                raise IdempotencyInProgressError("The same write is still running.", outcome=Outcome.IN_PROGRESS)
            case "closed":
                raise ConflictError("This write was taken back.", outcome=Outcome.NOT_APPLIED, retryable=False)
            case "in_doubt" if look_up is not None:
                found = await self._guarded(key, look_up, in_doubt=True)
                if found is not None:
                    return await self._finish(key, found)
                is_open = False
            case "in_doubt" if in_doubt is not None:
                in_doubt()
            case _:
                pass
        return await self._finish(key, await self._guarded(key, write, in_doubt=is_open))

    async def _bury_the_dead(self) -> None:
        """Put in doubt what ran when this process's predecessor, or another replica, died."""
        if not self._knows_the_dead:
            self._knows_the_dead = True
            number = self._replica.number if self._replica else None
            rows = await self._database.run(
                lambda c: c.execute(
                    "select key, replica from idempotent_write left join running_write using (key) where state = 'running'"
                ).fetchall()
            )
            for key, owner in rows:
                if owner == number or not await self._is_alive(owner):
                    await self._database.run(lambda connection, key=key: _doubt(connection, key))  # type: ignore[misc]  # bound now

    async def _is_alive(self, owner: int | None) -> bool:
        return self._replica is not None and owner is not None and await self._replica.is_alive(owner)

    async def _is_left(self, key: str) -> bool:
        """Put a running write in doubt if the replica that ran it has died. Returns whether it had."""
        owner = await self._database.run(
            lambda c: c.execute("select replica from running_write where key = ?", (key,)).fetchone()
        )
        if self._replica is None or owner is None or await self._replica.is_alive(owner[0]):
            return False
        return await self._database.run(lambda connection: _doubt(connection, key))

    async def _close(self, key: str) -> None:
        """Let no write with this key begin anymore. Raises IdempotencyInProgressError while one may still be under way."""
        state, at = await self._database.run(lambda connection: _close(connection, key))
        if state == "running" or (state == "in_doubt" and time.time() - at < _SETTLES_S):
            raise IdempotencyInProgressError(
                "The write to be undone is still running.",
                outcome=Outcome.IN_PROGRESS,
                retry_after_ms=int(_SETTLES_S * 1000),
            )

    async def _guarded(self, key: str, work: Callable[[], Awaitable[Json]], *, in_doubt: bool) -> Json:
        """Carry out; whatever happens, leave the key free (nothing was done) or in doubt (something may have been)."""
        try:
            with _telling_outcome(in_doubt=in_doubt):
                return await work()
        except BaseException as error:
            nothing_done = isinstance(error, FieldError) and error.outcome is Outcome.NOT_APPLIED
            await self._database.run(lambda connection: _release(connection, key, nothing_done=nothing_done))
            raise

    async def _finish(self, key: str, answer: Json) -> Json:
        def finish(connection: sqlite3.Connection) -> None:
            connection.execute(
                "update idempotent_write set state = 'done', answer = ?, at = ? where key = ? and state = 'running'",
                (orjson.dumps(answer), time.time(), key),
            )
            connection.execute("delete from running_write where key = ?", (key,))

        await self._database.run(finish)
        return answer


@contextmanager
def _telling_outcome(*, in_doubt: bool = False, is_repeatable: bool = True) -> Iterator[None]:
    """Make an error say what became of the whole write. `in_doubt`: an earlier try of it may have taken effect."""
    with watching_effects() as effects:
        try:
            yield
        except FieldError as error:
            if effects.sent or (in_doubt and error.code not in _REFUSALS):
                told = Outcome.UNKNOWN
            else:
                told = error.outcome or Outcome.NOT_APPLIED
            if error.outcome not in {Outcome.APPLIED, Outcome.IN_PROGRESS}:
                error.outcome = told
            if error.outcome is Outcome.UNKNOWN and not is_repeatable:
                error.retryable = False
            raise


def _doubt(connection: sqlite3.Connection, key: str) -> bool:
    update = "update idempotent_write set state = 'in_doubt' where key = ? and state = 'running'"
    return connection.execute(update, (key,)).rowcount == 1


def _claim(connection: sqlite3.Connection, key: str, digest: str, replica: int) -> tuple[str, bytes]:
    at = time.time()
    connection.execute(
        "delete from idempotent_write where at < ? and (state <> 'closed' or at < ?)",
        (at - _KEPT_S, at - _CLOSED_KEPT_S),
    )
    row = connection.execute(
        "select arguments, state, answer, at from idempotent_write where key = ?", (key,)
    ).fetchone()
    if row is None:
        connection.execute("insert into idempotent_write values (?, ?, 'running', null, ?)", (key, digest, at))
        connection.execute("insert or replace into running_write values (?, ?)", (key, replica))
        return "new", b""
    known, state, answer, since = row
    if state == "closed":
        return "closed", b""
    if known != digest:
        return "reused", b""
    if state == "done":
        return "done", bytes(answer)
    if state == "running" and at - since < _LEASE_S:
        return "running", b""
    connection.execute("update idempotent_write set state = 'running', at = ? where key = ?", (at, key))
    connection.execute("insert or replace into running_write values (?, ?)", (key, replica))
    return "in_doubt", b""


def _close(connection: sqlite3.Connection, key: str) -> tuple[str, float]:
    """Return the state that the key had, and since when."""
    at = time.time()
    row = connection.execute("select state, at from idempotent_write where key = ?", (key,)).fetchone()
    state, since = row if row is not None else ("new", at)
    if state == "running" and at - since < _LEASE_S:
        return "running", since
    connection.execute(
        "insert into idempotent_write values (?, '', 'closed', null, ?) "
        "on conflict (key) do update set state = 'closed', at = case state when 'closed' then at else excluded.at end",
        (key, at),
    )
    return state, since


def _release(connection: sqlite3.Connection, key: str, *, nothing_done: bool) -> None:
    connection.execute("delete from running_write where key = ?", (key,))
    if nothing_done:
        connection.execute("delete from idempotent_write where key = ? and state = 'running'", (key,))
    else:
        connection.execute(
            "update idempotent_write set state = 'in_doubt', at = ? where key = ? and state = 'running'",
            (time.time(), key),
        )
