"""Answered writes of several gateways, in the Redis they share. Each decision is one script, by Redis's clock.

A hash for each write, which Redis itself forgets in time: `{fingerprint, lease_until, answer}`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from hashlib import sha256
from typing import Any, TypeVar, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

from gateway.redis_answer import Undisturbed
from gateway.writes.store import Answered, Claim, Claimed, Misused, Running, StoreFailed, WriteName

ResultT = TypeVar("ResultT")

_LOG = logging.getLogger("concord.writes")
_PREFIX = "concord:write:"
_TIMEOUT_S = 5.0
_CONNECTIONS = 16

_CLAIM = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('HMGET', KEYS[1], 'fingerprint', 'answer', 'lease_until')
if held[1] then
  if held[1] ~= ARGV[1] then return {'misused'} end
  if held[2] then return {'answered', held[2]} end
  if tonumber(held[3]) > now then return {'running'} end
end
redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'lease_until', now + ARGV[2])
redis.call('PEXPIRE', KEYS[1], math.max(ARGV[2], ARGV[3]))
return {'claimed'}
"""
"""Takes what is new, or was left behind by a process that died; anything else stays as it is."""
_ANSWER = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'answer', ARGV[1])
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
_RELEASE = """
if redis.call('HEXISTS', KEYS[1], 'answer') == 0 then return redis.call('DEL', KEYS[1]) end
return 0
"""


class RedisWriteStore:
    """`WriteStore` over a Redis. What it acknowledges survives its crash where it appends `always`; else it warns."""

    def __init__(self, redis: Redis, *, keep_s: float) -> None:
        self._redis = redis
        self._commands = Undisturbed()
        self._keep_ms = round(keep_s * 1000)

    @classmethod
    async def open(cls, url: str, *, keep_s: float = 24 * 3600.0) -> RedisWriteStore:
        """Connect to `redis://host:port/0`. Raises `StoreFailed`."""
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=_TIMEOUT_S,
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
        )
        store = cls(Redis.from_pool(pool), keep_s=keep_s)
        try:
            await store._warn_if_forgetful()
        except StoreFailed:
            await store.aclose()
            raise
        return store

    async def claim(self, name: WriteName, fingerprint: str, *, lease_s: float) -> Claim:
        """Claim a write, or tell what became of it. Raises `StoreFailed`."""
        lease_ms = max(0, round(lease_s * 1000))
        match await self._run(_CLAIM, name, fingerprint, lease_ms, self._keep_ms):
            case [b"claimed"]:
                return Claimed()
            case [b"misused"]:
                return Misused()
            case [b"running"]:
                return Running()
            case [b"answered", bytes(answer)]:
                return Answered(answer)
            case other:
                raise StoreFailed(f"Redis said {other!r}")

    async def answer(self, name: WriteName, answer: bytes) -> None:
        """Keep the answer of a claimed write. Raises `StoreFailed`."""
        await self._run(_ANSWER, name, answer, self._keep_ms)

    async def release(self, name: WriteName) -> None:
        """Give a claim back. Raises `StoreFailed`."""
        await self._run(_RELEASE, name)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._commands.aclose()
        await self._redis.aclose()

    async def _run(self, script: str, name: WriteName, *arguments: Any) -> Any:
        key = _PREFIX + sha256(f"{name.caller}\x00{name.key}\x00{name.field}".encode()).hexdigest()
        return await self._call(self._redis.eval(script, 1, key, *arguments))

    async def _call(self, command: Awaitable[ResultT]) -> ResultT:
        try:
            return await self._commands(command)
        except (RedisError, OSError) as error:
            raise StoreFailed(f"Redis: {error}") from error

    async def _warn_if_forgetful(self) -> None:
        await self._call(self._redis.ping())
        try:
            settings = await self._call(cast("Awaitable[dict[str, Any]]", self._redis.config_get("append*")))
        except StoreFailed:
            _LOG.warning("Redis does not tell whether it keeps acknowledged writes over a crash (CONFIG is refused)")
            return
        if (settings.get("appendonly"), settings.get("appendfsync")) != ("yes", "always"):
            _LOG.warning("Redis may forget answered writes in a crash: set `appendonly yes` and `appendfsync always`")
