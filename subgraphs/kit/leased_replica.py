"""Replicas without a common disk: numbers and the lead are leases in Redis, renewed again and again.

A replica whose lease ran out, because it died or hung or could not reach Redis, counts as dead: another gets its number,
and the lead. It stops leading by its own clock before that. One that hung may go on for a moment beside its follower:
what they do to the store is put in order there (`shared_database.py`), and events told twice have the same id.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Self

from redis.asyncio import Redis
from redis.exceptions import RedisError

from subgraphs.kit.background import background
from subgraphs.kit.redis_answer import answered

_log = logging.getLogger(__name__)
_MOST = 64
_LEASE_S = 10.0
_RENEW_S = 1.0
_LOOK_S = 0.25
"""How soon another takes over once a lease has ended."""
_TIMEOUT_S = 2.0

_RENEW = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
_RELEASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""


class LeasedReplica:
    """One of up to 64 processes, on whatever machines, that share a store by Redis. See `replica.Peer`."""

    def __init__(self, redis: Redis, name: str) -> None:
        """For `join`."""
        self._redis = redis
        self._name = name
        self._token = secrets.token_hex(8)
        self._renew = redis.register_script(_RENEW)
        self._release = redis.register_script(_RELEASE)
        self._renewing: asyncio.Task[None] | None = None
        self.number = 0
        self.is_leader = False

    @classmethod
    async def join(cls, redis_url: str, name: str) -> Self:
        """Take the first number that is free among the replicas of `name`. Raises RedisError, OSError."""
        redis = Redis.from_url(redis_url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S)
        replica = cls(redis, name)
        await replica._take_number()
        replica._renewing = asyncio.create_task(replica._keep_number(), name="replica lease")
        return replica

    async def leave(self) -> None:
        """Give the number back."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)
        await self._give_back(self._key(str(self.number)))
        await self._redis.aclose()

    async def is_alive(self, number: int) -> bool:
        """Say whether a process has this number; where Redis does not tell, that it has."""
        try:
            return number == self.number or bool(await answered(self._redis.exists(self._key(str(number)))))
        except (RedisError, OSError):
            return True

    @asynccontextmanager
    async def leading(self, *loops: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
        """Run the loops within the block while this replica holds the lead."""

        async def lead() -> None:
            while True:
                while not await self._take("leader"):  # noqa: ASYNC110 - another process has it
                    await asyncio.sleep(_LOOK_S)
                try:
                    self.is_leader = True
                    _log.info("This replica (%d) now follows the vendor and delivers events.", self.number)
                    async with background(*loops):
                        await self._hold("leader")
                finally:
                    # Only now, when the loops have ended, may another begin with them.
                    self.is_leader = False
                    await self._give_back(self._key("leader"))

        async with background(lead):
            yield

    async def _take_number(self) -> None:
        for number in range(_MOST):
            if await self._set(str(number)):
                self.number = number
                return
        raise OSError(f"More than {_MOST} processes share {self._name}.")

    async def _keep_number(self) -> None:
        while True:
            await self._hold(str(self.number))
            _log.warning("This replica lost its number (%d).", self.number)
            while True:
                try:
                    await self._take_number()
                    break
                except (RedisError, OSError):
                    await asyncio.sleep(_RENEW_S)

    async def _take(self, lease: str) -> bool:
        try:
            return await self._set(lease)
        except (RedisError, OSError):
            return False

    async def _set(self, lease: str) -> bool:
        """Take a lease if it is nobody's."""
        taken = self._redis.set(self._key(lease), self._token, nx=True, px=round(_LEASE_S * 1000))
        return bool(await answered(taken))

    async def _hold(self, lease: str) -> None:
        """Renew a lease; return once it is another's, or may be soon."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _LEASE_S
        while True:
            await asyncio.sleep(_RENEW_S)
            asked_at = loop.time()
            try:
                if not await answered(self._renew([self._key(lease)], [self._token, round(_LEASE_S * 1000)])):
                    return
                until = asked_at + _LEASE_S
            except (RedisError, OSError):
                if loop.time() + _RENEW_S + _TIMEOUT_S >= until:
                    return

    async def _give_back(self, key: str) -> None:
        try:
            await answered(self._release([key], [self._token]))
        except (RedisError, OSError):
            _log.info("A lease could not be given back; it ends by itself.")

    def _key(self, lease: str) -> str:
        return f"concord:replica:{self._name}:{lease}"
