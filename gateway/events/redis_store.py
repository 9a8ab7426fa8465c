"""A Redis that several gateways share: calls that are never cut off in the middle, and its durability checked."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import RedisError

from gateway.events.log import StoreUnavailable
from gateway.redis_answer import Undisturbed

T = TypeVar("T")

_LOG = logging.getLogger("concord.events")
_TIMEOUT_S = 5.0
BLOCK_S = 1.0
"""For how long Redis may be asked to wait for something to happen."""


class RedisStore:
    """One pool of connections, and the prefix of this product's keys."""

    def __init__(self, url: str, *, prefix: str = "concord:events:") -> None:
        """`url` such as `redis://127.0.0.1:6379/0`. Nothing is connected yet."""
        self.prefix = prefix
        pool = BlockingConnectionPool.from_url(
            url, max_connections=16, timeout=_TIMEOUT_S, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S
        )
        self.redis: Redis = Redis.from_pool(pool)
        self._commands = Undisturbed()
        # Redis may let the reader wait before it answers, on a connection of its own.
        self.blocking: Redis = Redis.from_url(
            url, socket_timeout=BLOCK_S + _TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S
        )

    def key(self, name: str) -> str:
        """Return the full name of one of our keys."""
        return self.prefix + name

    async def call(self, command: Awaitable[T]) -> T:
        """Await a command, whole whatever becomes of its caller. Raises `StoreUnavailable`."""
        try:
            return await self._commands(command)
        except (RedisError, OSError) as error:
            raise StoreUnavailable(f"Redis: {error}") from error

    async def transact(self, fill: Callable[[Pipeline], object]) -> Any:
        """Carry out what `fill` queues in one transaction; return the replies. Raises `StoreUnavailable`.

        The whole of it is shielded: a pipeline that is left in the middle gives its connection back, reply and all.
        """

        async def carry_out() -> Any:
            async with self.redis.pipeline(transaction=True) as pipeline:
                fill(pipeline)
                return await pipeline.execute()

        return await self.call(carry_out())

    async def warn_if_forgetful(self) -> None:
        """Log a warning unless the server keeps what it acknowledges over a crash."""
        try:
            settings = cast("dict[str, Any]", await self.call(self.redis.config_get("append*")))
        except StoreUnavailable:
            _LOG.warning("Redis does not tell whether it keeps acknowledged events over a crash (CONFIG is refused)")
            return
        if (settings.get("appendonly"), settings.get("appendfsync")) != ("yes", "always"):
            _LOG.warning("Redis may lose acknowledged events in a crash: set `appendonly yes` and `appendfsync always`")

    async def close(self) -> None:
        """Close all connections."""
        await self._commands.aclose()
        await self.blocking.aclose()
        await self.redis.aclose()
