"""Entities that several gateways share in a Redis, and the drops they tell each other of.

An entry and each dropped tag carry Redis's own clock, so that one look (`TIME` and `MGET`) says what is there and whether
it still counts. A Redis that fails or dawdles is left alone for a moment: entities are then read from their owners.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

from gateway.cache.tags import ALL
from gateway.redis_answer import Undisturbed, answered

T = TypeVar("T")

_LOG = logging.getLogger("concord.cache")
_TIMEOUT_S = 0.5
"""Of one call: whoever waits for it could ask the owner meanwhile."""
_REST_S = 1.0
_PING_S = 2.0
"""How often the line on which drops are heard is tried; it is given up after as long again."""
_BORN = struct.Struct("<Q")
_MOST_PENDING = 10_000

_DROP = """
local now = redis.call('TIME')
local moment = now[1] * 1000000 + now[2]
for i = 1, #KEYS do redis.call('SET', KEYS[i], moment, 'EX', ARGV[2]) end
redis.call('PUBLISH', ARGV[1], ARGV[3])
return 1
"""
"""Atomic: note when the tags were dropped, and tell everybody. KEYS tags; ARGV channel, seconds to remember, message."""


@dataclass(frozen=True, slots=True)
class SharedEntry:
    """An entry as Redis has it."""

    value: bytes
    born_us: int
    """Redis's clock when reading began."""


@dataclass(frozen=True, slots=True)
class Look:
    """What Redis said at one moment."""

    now_us: int
    entries: Sequence[SharedEntry | None]
    dropped_us: Sequence[int]
    """For each tag when it was dropped last; 0 where that is not known or longer ago than any entry lives."""


class SharedEntries:
    """One pool of connections to the Redis of all gateways."""

    def __init__(self, url: str, *, longest_s: float, prefix: str = "concord:entities:1:") -> None:
        """`longest_s` is how long any entry is kept: so long drops must be remembered."""
        pool = BlockingConnectionPool.from_url(
            url, max_connections=32, timeout=_TIMEOUT_S, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S
        )
        self._redis: Redis = Redis.from_pool(pool)
        self._commands = Undisturbed()
        self._listening: Redis = Redis.from_url(url, socket_timeout=_PING_S, socket_connect_timeout=_PING_S)
        self._prefix = prefix
        self._channel = prefix + "drops"
        self._remember_s = int(longest_s) + 60
        self._drop = self._redis.register_script(_DROP)
        self._pending: dict[str, object] = {}
        """Tags whose drop Redis could not be told of: until it is, nothing is taken from there."""
        self._rests_until = 0.0

    async def look(self, keys: Sequence[bytes], tags: Sequence[str]) -> Look | None:
        """Return what is kept under keys and when tags were dropped; None where Redis can't be asked or trusted."""
        if self._pending and not await self.drop(()):
            return None
        names = [self._prefix + key.hex() for key in keys] + [self._tag(tag) for tag in tags]

        async def ask() -> Any:
            async with self._redis.pipeline(transaction=True) as pipeline:
                pipeline.time()
                if names:
                    pipeline.mget(names)
                return await pipeline.execute()

        answer = await self._call(ask)
        if answer is None:
            return None
        (seconds, micros), *lists = answer
        values = lists[0] if lists else ()
        return Look(
            int(seconds) * 1_000_000 + int(micros),
            [_entry(value) for value in values[: len(keys)]],
            [int(value) if value is not None else 0 for value in values[len(keys) :]],
        )

    async def keep(self, entries: Iterable[tuple[bytes, SharedEntry, int]]) -> None:
        """Keep entries, each for so many milliseconds."""

        async def tell() -> Any:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for key, entry, keep_ms in entries:
                    pipeline.set(self._prefix + key.hex(), _BORN.pack(entry.born_us) + entry.value, px=keep_ms)
                return await pipeline.execute()

        await self._call(tell)

    async def drop(self, tags: Iterable[str]) -> bool:
        """Drop tags for all gateways; False if Redis can't be told now, and will be before anything is read there."""
        self._pending.update(dict.fromkeys(tags, object()))
        if len(self._pending) > _MOST_PENDING:
            self._pending = {ALL: object()}
        told = dict(self._pending)
        if not told:
            return True
        arguments: list[str | int | bytes] = [self._channel, self._remember_s, orjson.dumps(list(told))]
        if await self._call(lambda: self._drop([self._tag(tag) for tag in told], arguments)) is None:
            return False
        for tag, asked in told.items():
            if self._pending.get(tag) is asked:  # else it was dropped once more meanwhile
                del self._pending[tag]
        return True

    async def follow(self, on_drop: Callable[[Sequence[str]], None], on_line: Callable[[bool], None]) -> None:
        """Tell of every gateway's drops, and whether the line they come on holds. Runs until cancelled.

        While it does not hold nothing that was kept may be used: drops would go unheard.
        """
        while True:
            try:
                # A connection of its own, closed however this ends: no reply is left on it for anybody else.
                async with self._listening.pubsub() as line:
                    await answered(line.subscribe(self._channel))
                    await self._hear(line, on_drop, on_line)
            except (RedisError, OSError, TimeoutError) as error:
                _LOG.warning("entity_drops_unheard", extra={"reason": str(error)[:200]})
            finally:
                on_line(False)
            await asyncio.sleep(_REST_S)

    async def _hear(self, line: Any, on_drop: Callable[[Sequence[str]], None], on_line: Callable[[bool], None]) -> None:
        is_answered = True
        while True:
            message = await answered(line.get_message(timeout=_PING_S))
            if message is None:
                if not is_answered:
                    raise TimeoutError("no answer to a ping")
                is_answered = False
                await answered(line.ping())
            elif message["type"] == "message":
                is_answered = True
                on_drop(orjson.loads(message["data"]))
            else:
                is_answered = True
                if message["type"] == "subscribe":
                    on_line(True)
                    # What was dropped here while Redis was away is told before others rely on it.
                    await self.drop(())

    async def aclose(self) -> None:
        """Close all connections."""
        await self._commands.aclose()
        await self._listening.aclose()
        await self._redis.aclose()

    async def _call(self, command: Callable[[], Awaitable[T]]) -> T | None:
        """Return a command's reply, or None where there is none in time."""
        clock = asyncio.get_running_loop().time
        if clock() < self._rests_until:
            return None
        try:
            return await self._commands(command())
        except (RedisError, OSError, TimeoutError) as error:
            self._rests_until = clock() + _REST_S
            _LOG.warning("shared_entities_unavailable", extra={"reason": f"{type(error).__name__}: {error}"[:200]})
            return None

    def _tag(self, tag: str) -> str:
        return f"{self._prefix}dropped {tag}"


def _entry(value: bytes | None) -> SharedEntry | None:
    if value is None or len(value) <= _BORN.size:
        return None
    return SharedEntry(value[_BORN.size :], _BORN.unpack_from(value)[0])
