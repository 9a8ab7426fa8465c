"""Small durable records in the Redis that several gateways share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redis.asyncio.client import Pipeline

from gateway.events.redis_store import RedisStore


class RedisNotes:
    """`Notes` over a `RedisStore`, shared with other processes."""

    def __init__(self, store: RedisStore) -> None:
        self._store = store

    async def put(self, shelf: str, name: str, body: bytes) -> None:
        """Keep a record under a name."""
        await self._store.call(self._store.redis.hset(self._store.key(f"notes:{shelf}"), name, body))

    async def all(self, shelf: str) -> Mapping[str, bytes]:
        """Return a shelf's records by name."""
        rows: Any = await self._store.call(self._store.redis.hgetall(self._store.key(f"notes:{shelf}")))
        return {name.decode(): body for name, body in sorted(rows.items())}

    async def remove(self, shelf: str, name: str) -> None:
        """Forget a record, if there is one."""
        await self._store.call(self._store.redis.hdel(self._store.key(f"notes:{shelf}"), name))

    async def write_down(self, journal: str, entry: bytes, *, most: int) -> None:
        """Add an entry to a journal, which keeps the last `most` of them."""
        key = self._store.key(f"journal:{journal}")

        def fill(pipeline: Pipeline) -> None:
            pipeline.lpush(key, entry)
            pipeline.ltrim(key, 0, most - 1)

        await self._store.transact(fill)

    async def last(self, journal: str, limit: int) -> tuple[bytes, ...]:
        """Return a journal's newest entries, newest first."""
        rows: Any = await self._store.call(
            self._store.redis.lrange(self._store.key(f"journal:{journal}"), 0, limit - 1)
        )
        return tuple(rows)
