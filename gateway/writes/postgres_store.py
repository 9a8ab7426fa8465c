"""Answered writes of several gateways, in the Postgres they share."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from gateway.writes.store import Answered, Claim, Claimed, Misused, Running, StoreFailed, WriteName

_SCHEMA = """
CREATE TABLE IF NOT EXISTS concord_writes (
    caller text NOT NULL,
    key text NOT NULL,
    field text NOT NULL,
    fingerprint text NOT NULL,
    answer bytea,
    lease_until timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (caller, key, field)
);
CREATE INDEX IF NOT EXISTS concord_writes_by_expiry ON concord_writes (expires_at);
"""
_SCHEMA_LOCK = 0x636F6E63
"""Two gateways that start at once must not create the table at once."""

_CLAIM = """
INSERT INTO concord_writes AS held VALUES (
    %(caller)s, %(key)s, %(field)s, %(fingerprint)s, NULL,
    now() + %(lease_s)s * interval '1 second', now() + greatest(%(lease_s)s, %(keep_s)s) * interval '1 second'
)
ON CONFLICT (caller, key, field) DO UPDATE
    SET fingerprint = excluded.fingerprint, answer = NULL,
        lease_until = excluded.lease_until, expires_at = excluded.expires_at
    WHERE held.expires_at <= now()
       OR (held.answer IS NULL AND held.lease_until <= now() AND held.fingerprint = excluded.fingerprint)
RETURNING 1
"""
"""Takes what is new, expired, or was left behind by a process that died; anything else stays as it is."""
_LOOK = "SELECT fingerprint, answer FROM concord_writes WHERE caller = %s AND key = %s AND field = %s"
_ANSWER = """
UPDATE concord_writes SET answer = %s, expires_at = now() + %s * interval '1 second'
WHERE caller = %s AND key = %s AND field = %s
"""
_RELEASE = "DELETE FROM concord_writes WHERE caller = %s AND key = %s AND field = %s AND answer IS NULL"
_FORGET = "DELETE FROM concord_writes WHERE expires_at <= now()"
_WAIT_S = 5.0


class PostgresWriteStore:
    """`WriteStore` over a database. The clock is the database's, so that gateways needn't agree on theirs."""

    def __init__(self, pool: AsyncConnectionPool, *, keep_s: float) -> None:
        self._pool = pool
        self._keep_s = keep_s

    @classmethod
    async def open(cls, url: str, *, keep_s: float = 24 * 3600.0) -> PostgresWriteStore:
        """Connect to `postgresql://user:password@host/database` and make the table. Raises `StoreFailed`."""
        pool = AsyncConnectionPool(
            url, min_size=1, max_size=8, timeout=_WAIT_S, open=False, kwargs={"connect_timeout": int(_WAIT_S)}
        )
        store = cls(pool, keep_s=keep_s)
        try:
            await pool.open(wait=True, timeout=_WAIT_S)
            async with store._connection() as connection:
                await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_SCHEMA_LOCK,))
                await connection.execute(_SCHEMA)
                await connection.execute(_FORGET)
        except (PoolTimeout, StoreFailed) as error:
            await pool.close()
            raise StoreFailed(f"Postgres can't be used: {error}") from error
        return store

    async def claim(self, name: WriteName, fingerprint: str, *, lease_s: float) -> Claim:
        """Claim a write, or tell what became of it. Raises `StoreFailed`."""
        at = {"caller": name.caller, "key": name.key, "field": name.field}
        async with self._connection() as connection:
            while True:
                asked = {**at, "fingerprint": fingerprint, "lease_s": lease_s, "keep_s": self._keep_s}
                if await (await connection.execute(_CLAIM, asked)).fetchone() is not None:
                    return Claimed()
                row = await (await connection.execute(_LOOK, (name.caller, name.key, name.field))).fetchone()
                match row:
                    case None:  # released between the two statements
                        continue
                    case (known, _) if known != fingerprint:
                        return Misused()
                    case (_, None):
                        return Running()
                    case (_, answer):
                        return Answered(bytes(answer))

    async def answer(self, name: WriteName, answer: bytes) -> None:
        """Keep the answer of a claimed write. Raises `StoreFailed`."""
        async with self._connection() as connection:
            await connection.execute(_ANSWER, (answer, self._keep_s, name.caller, name.key, name.field))
            await connection.execute(_FORGET)

    async def release(self, name: WriteName) -> None:
        """Give a claim back. Raises `StoreFailed`."""
        async with self._connection() as connection:
            await connection.execute(_RELEASE, (name.caller, name.key, name.field))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.close()

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[psycopg.AsyncConnection]:
        """Lend a connection for one transaction, which is committed at the end."""
        try:
            async with self._pool.connection() as connection:
                yield connection
        except (psycopg.Error, PoolTimeout) as error:
            raise StoreFailed(str(error)) from error
