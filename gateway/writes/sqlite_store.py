"""Answered writes of one gateway, in a SQLite file that outlives the process."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from gateway.writes.store import Answered, Claim, Claimed, Misused, Running, StoreFailed, WriteName

ResultT = TypeVar("ResultT")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS writes (
    caller TEXT NOT NULL,
    key TEXT NOT NULL,
    field TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    answer BLOB,
    lease_until REAL NOT NULL,
    expires_at REAL NOT NULL,
    PRIMARY KEY (caller, key, field)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS writes_by_expiry ON writes (expires_at);
"""


class SqliteWriteStore:
    """`WriteStore` over one file: WAL with synchronous FULL."""

    def __init__(self, path: Path | None, *, keep_s: float = 24 * 3600.0) -> None:
        """`path` None keeps everything in memory."""
        self._keep_s = keep_s
        # SQLite blocks; one thread keeps it off the event loop and its statements in order.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="writes")
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(
            path if path is not None else ":memory:", check_same_thread=False, isolation_level=None, timeout=5.0
        )
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.executescript(_SCHEMA)

    async def claim(self, name: WriteName, fingerprint: str, *, lease_s: float) -> Claim:
        """Claim a write, or tell what became of it.

        A claim whose lease ran out, because its process died, passes to the next claimant.
        """
        return await self._run(lambda: self._claim(name, fingerprint, lease_s))

    async def answer(self, name: WriteName, answer: bytes) -> None:
        """Keep the answer of a claimed write."""
        await self._run(
            lambda: self._database.execute(
                "UPDATE writes SET answer = ?, expires_at = ? WHERE caller = ? AND key = ? AND field = ?",
                (answer, time.time() + self._keep_s, name.caller, name.key, name.field),
            )
        )

    async def release(self, name: WriteName) -> None:
        """Give a claim back: the write was not done, or may be repeated under the same key."""
        await self._run(
            lambda: self._database.execute(
                "DELETE FROM writes WHERE caller = ? AND key = ? AND field = ? AND answer IS NULL",
                (name.caller, name.key, name.field),
            )
        )

    async def aclose(self) -> None:
        """Close the file."""
        await self._run(self._database.close)
        self._thread.shutdown(wait=True)

    def _claim(self, name: WriteName, fingerprint: str, lease_s: float) -> Claim:
        now = time.time()
        lease = (now + lease_s, now + max(lease_s, self._keep_s))
        at = (name.caller, name.key, name.field)
        database = self._database
        # IMMEDIATE: another process must not claim between the look and the insert.
        database.execute("BEGIN IMMEDIATE")
        try:
            database.execute("DELETE FROM writes WHERE expires_at <= ?", (now,))
            row = database.execute(
                "SELECT fingerprint, answer, lease_until FROM writes WHERE caller = ? AND key = ? AND field = ?", at
            ).fetchone()
            claim: Claim
            match row:
                case None:
                    database.execute("INSERT INTO writes VALUES (?, ?, ?, ?, NULL, ?, ?)", (*at, fingerprint, *lease))
                    claim = Claimed()
                case (known, _, _) if known != fingerprint:
                    claim = Misused()
                case (_, None, until) if until > now:
                    claim = Running()
                case (_, None, _):
                    database.execute(
                        "UPDATE writes SET lease_until = ?, expires_at = ? WHERE caller = ? AND key = ? AND field = ?",
                        (*lease, *at),
                    )
                    claim = Claimed()
                case (_, answer, _):
                    claim = Answered(answer)
            database.execute("COMMIT")
        except BaseException:
            database.execute("ROLLBACK")
            raise
        return claim

    async def _run(self, work: Callable[[], ResultT]) -> ResultT:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except sqlite3.Error as error:
            raise StoreFailed(str(error)) from error
