"""How many requests a caller may make: a bucket each, shared by all gateways in Redis, each gateway's own when that is gone."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from gateway.access.caller import Caller
from gateway.errors import GatewayError
from gateway.redis_answer import Undisturbed

if TYPE_CHECKING:
    from redis.asyncio import Redis

_LOG = logging.getLogger("concord.access")

_MOST_BUCKETS = 20_000
_PATIENCE_S = 0.1
"""A Redis that takes longer is gone, as far as this is concerned."""
_REST_S = 1.0
"""How long one that is gone is not asked again."""

# One number for each caller: the moment at which its bucket will be full again (GCRA).
_SCRIPT = """
local now = redis.call('TIME')
local at = now[1] + now[2] / 1000000
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), at)
local wait = full + interval - at - interval * burst
if wait > 0 then return tostring(wait) end
redis.call('SET', KEYS[1], tostring(full + interval), 'PX', math.ceil(interval * burst * 1000) + 1000)
return '0'
"""


class TakesTurns(Protocol):
    """A limit on callers' requests."""

    async def take(self, caller: Caller) -> None:
        """Count a request. Raises GatewayError with REQUEST_RATE_LIMITED."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many requests a second on the average, and so many at once."""

    per_s: float
    burst: int


class LocalRates:
    """Buckets in this process."""

    def __init__(self, rate: Rate) -> None:
        self._interval_s = 1 / rate.per_s
        self._burst = rate.burst
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def wait_s(self, key: str) -> float:
        """Take from a bucket and return 0, or return how long to wait until there is something in it."""
        now = time.monotonic()
        full = max(self._full_at.get(key, 0.0), now)
        wait = full + self._interval_s - now - self._interval_s * self._burst
        if wait > 0:
            return wait
        self._full_at[key] = full + self._interval_s
        self._full_at.move_to_end(key)
        if len(self._full_at) > _MOST_BUCKETS:
            self._full_at.popitem(last=False)
        return 0.0


@dataclass(slots=True)
class CallerRates:
    """One bucket for each caller; callers without a name share one."""

    rate: Rate
    redis: Redis | None = None
    prefix: str = "concord:rate:"
    _local: LocalRates = field(init=False)
    _commands: Undisturbed = field(init=False, default_factory=Undisturbed)
    _gone_until: float = 0.0

    def __post_init__(self) -> None:
        self._local = LocalRates(self.rate)

    async def take(self, caller: Caller) -> None:
        """Count a request. Raises GatewayError with REQUEST_RATE_LIMITED."""
        key = f"{caller.issuer or ''}|{caller.tenant or ''}|{caller.subject or ''}"
        wait = await self._shared(key)
        if wait is None:
            wait = self._local.wait_s(key)
        if wait > 0:
            raise GatewayError("REQUEST_RATE_LIMITED", retry_after_ms=max(1, round(wait * 1000)))

    async def _shared(self, key: str) -> float | None:
        if self.redis is None or time.monotonic() < self._gone_until:
            return None
        from redis.exceptions import RedisError  # noqa: PLC0415 - only who shares its rates loads it

        try:
            async with asyncio.timeout(_PATIENCE_S):
                asked = self.redis.eval(_SCRIPT, 1, self.prefix + key, 1 / self.rate.per_s, self.rate.burst)
                told = await self._commands(asked)
        except (RedisError, OSError, TimeoutError) as error:
            self._gone_until = time.monotonic() + _REST_S
            _LOG.warning("rates_not_shared", extra={"reason": f"{type(error).__name__}: {error}"[:200]})
            return None
        return float(told)

    async def aclose(self) -> None:
        """Close the connection."""
        if self.redis is not None:
            await self._commands.aclose()
            await self.redis.aclose()
