"""How many requests a vendor may be sent, by all replicas together: people's requests before background work.

    budget = ApiBudget(rate=19, burst=100, store=RedisBucket(redis, "hubspot"))
    async with VendorClient(…, budget=budget) as client: …

A token bucket: `rate` requests a second, up to `burst` at once. Background work leaves the last part of the bucket to people.
Who finds it empty is told SYSTEM_RATE_LIMITED with the time to wait, instead of the vendor banning everybody.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

import redis.asyncio
from redis.exceptions import RedisError

from subgraphs.kit.current_request import current_request
from subgraphs.kit.database import Database
from subgraphs.kit.redis_answer import answered
from subgraphs.kit.settings import SubgraphSettings
from subgraphs.kit.system_error import VendorRateLimitedError

_log = logging.getLogger(__name__)
_KEPT_FOR_PEOPLE = 0.3
"""The part of the bucket that background work does not touch."""


@dataclass(frozen=True, slots=True)
class Level:
    """How full a bucket is."""

    tokens: float
    at: float
    """Unix seconds of the store's clock."""
    closed_until: float = 0.0
    """The vendor has asked for silence until then."""


class Bucket(Protocol):
    """Where the level is kept. `take` is atomic over all who share it."""

    async def take(self, *, rate: float, burst: float, reserve: float) -> float:
        """Take one token if more than `reserve` are there. Returns 0, or the seconds until there will be one."""
        ...

    async def close_for(self, seconds: float) -> None:
        """Give nobody a token for so long; one who asked for a longer silence before is still obeyed."""
        ...


def taken(level: Level, now: float, *, rate: float, burst: float, reserve: float) -> tuple[Level, float]:
    """Return the level after one request, and the seconds to wait: 0 if it may be sent."""
    tokens = min(burst, level.tokens + max(0.0, now - level.at) * rate)
    if now < level.closed_until:
        return Level(tokens, now, level.closed_until), level.closed_until - now
    if tokens >= reserve + 1:
        return Level(tokens - 1, now), 0.0
    return Level(tokens, now), (reserve + 1 - tokens) / rate


@dataclass(slots=True)
class ProcessBucket:
    """One process's own bucket."""

    _level: Level | None = None

    async def take(self, *, rate: float, burst: float, reserve: float) -> float:
        """As Bucket says."""
        now = time.time()
        self._level, wait_s = taken(self._level or Level(burst, now), now, rate=rate, burst=burst, reserve=reserve)
        return wait_s

    async def close_for(self, seconds: float) -> None:
        """As Bucket says."""
        held = self._level or Level(0, time.time())
        self._level = Level(held.tokens, held.at, max(held.closed_until, time.time() + seconds))


@dataclass(slots=True)
class SqliteBucket:
    """A bucket that the processes of one machine share, in a file of theirs."""

    database: Database
    name: str

    SCHEMA = """
        create table if not exists api_budget (name text primary key, tokens real not null, at real not null,
        closed_until real not null) without rowid;
    """

    async def take(self, *, rate: float, burst: float, reserve: float) -> float:
        """As Bucket says."""

        def run(connection: sqlite3.Connection) -> float:
            execute = connection.execute
            row = execute("select tokens, at, closed_until from api_budget where name = ?", (self.name,)).fetchone()
            now = time.time()
            level, wait_s = taken(
                Level(*row) if row else Level(burst, now), now, rate=rate, burst=burst, reserve=reserve
            )
            values = (self.name, level.tokens, level.at, level.closed_until)
            execute("insert or replace into api_budget values (?, ?, ?, ?)", values)
            return wait_s

        return await self.database.run(run)

    async def close_for(self, seconds: float) -> None:
        """As Bucket says."""
        until = time.time() + seconds
        await self.database.run(
            lambda c: c.execute(
                "insert into api_budget values (?, 0, ?, ?)"
                " on conflict (name) do update set closed_until = max(closed_until, excluded.closed_until)",
                (self.name, time.time(), until),
            )
        )


_TAKE = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local rate, burst, reserve = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local held = redis.call('HMGET', KEYS[1], 'tokens', 'at', 'closed_until')
local at = tonumber(held[2]) or now
local tokens = math.min(burst, (tonumber(held[1]) or burst) + math.max(0, now - at) * rate)
local closed = tonumber(held[3]) or 0
local wait = 0
if now < closed then wait = closed - now
elseif tokens >= reserve + 1 then tokens = tokens - 1
else wait = (reserve + 1 - tokens) / rate end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'at', string.format('%.6f', now))
redis.call('EXPIRE', KEYS[1], math.ceil(burst / rate) + 86400)
return tostring(wait)
"""
_CLOSE = """
local time = redis.call('TIME')
local closed = tonumber(redis.call('HGET', KEYS[1], 'closed_until')) or 0
local wanted = time[1] + time[2] / 1000000 + tonumber(ARGV[1])
redis.call('HSET', KEYS[1], 'closed_until', string.format('%.6f', math.max(closed, wanted)))
redis.call('EXPIRE', KEYS[1], math.ceil(tonumber(ARGV[1])) + 86400)
"""


@dataclass(slots=True)
class RedisBucket:
    """A bucket that all replicas share, by Redis's clock. While Redis is away each process uses one of its own."""

    client: redis.asyncio.Redis
    name: str
    _own: ProcessBucket = field(default_factory=ProcessBucket)

    async def take(self, *, rate: float, burst: float, reserve: float) -> float:
        """As Bucket says."""
        try:
            wait = await answered(self.client.eval(_TAKE, 1, f"concord:budget:{self.name}", rate, burst, reserve))
        except (RedisError, OSError) as error:
            _log.warning("The shared budget of %s can't be asked: %s", self.name, type(error).__name__)
            return await self._own.take(rate=rate, burst=burst, reserve=reserve)
        return float(wait)

    async def close_for(self, seconds: float) -> None:
        """As Bucket says."""
        await self._own.close_for(seconds)
        try:
            await answered(self.client.eval(_CLOSE, 1, f"concord:budget:{self.name}", seconds))
        except (RedisError, OSError) as error:
            _log.warning("The shared budget of %s can't be told: %s", self.name, type(error).__name__)


@dataclass(slots=True, kw_only=True)
class ApiBudget:
    """One vendor's budget, asked before every request."""

    rate: float
    """Requests a second, over a long time."""
    burst: int
    """Requests at once, after a pause."""
    bucket: Bucket
    refused: int = 0
    """Requests not sent since start."""

    async def spend(self, system: str) -> None:
        """Return if a request may be sent. Raises VendorRateLimitedError with the time to wait."""
        request = current_request()
        is_background = request is None or request.is_background
        reserve = self.burst * _KEPT_FOR_PEOPLE if is_background else 0.0
        wait_s = await self.bucket.take(rate=self.rate, burst=self.burst, reserve=reserve)
        if wait_s > 0:
            self.refused += 1
            raise VendorRateLimitedError(
                f"The budget of requests to the {system} system is spent.",
                system=system,
                retry_after_ms=max(1, round(wait_s * 1000)),
            )

    async def heed(self, retry_after_ms: int | None) -> None:
        """The vendor itself has said 429: all replicas keep quiet as long as it asks, or a second."""
        await self.bucket.close_for((retry_after_ms or 1000) / 1000)


@asynccontextmanager
async def open_budget(settings: SubgraphSettings, vendor: str) -> AsyncIterator[ApiBudget | None]:
    """Open the budget of the settings: shared by Redis, or by the processes of one state directory; or none."""
    if settings.vendor_requests_per_s is None:
        yield None
        return

    def budget(bucket: Bucket) -> ApiBudget:
        assert settings.vendor_requests_per_s is not None
        return ApiBudget(rate=settings.vendor_requests_per_s, burst=settings.vendor_burst, bucket=bucket)

    # Two systems of one vendor have budgets of their own: the address tells them apart.
    name = f"{vendor}:{settings.vendor_url}"
    if redis_url := settings.vendor_budget_redis_url or settings.store_redis_url:
        client = redis.asyncio.Redis.from_url(redis_url, socket_timeout=1, socket_connect_timeout=1)
        async with client:
            yield budget(RedisBucket(client, name))
    else:
        database = await Database.open(settings.state_dir / "budget.sqlite", (SqliteBucket.SCHEMA,))
        try:
            yield budget(SqliteBucket(database, name))
        finally:
            await database.close()
