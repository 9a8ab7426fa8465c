"""The order of changes that replicas of one database keep in Redis, and whole copies of it.

concord:store:crm              epoch (another one after Redis lost something), head: number of the last change
concord:store:crm:3f…:log      the last changes: a token, and packed statements
concord:store:crm:3f…:copy     the database as it was after some change
"""

from __future__ import annotations

import secrets
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec
import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

_TIMEOUT_S = 5.0
_TAKEN_AT_ONCE = 200
_KEPT = 200
"""Changes before a copy that replicas may still need."""

Statement: TypeAlias = "tuple[str, Sequence[Any] | Mapping[str, Any]]"
"""SQL and its parameters."""

_BEGIN = """
local before = redis.call('HGET', KEYS[1], 'epoch')
if before ~= (ARGV[1] ~= '' and ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'head', ARGV[3])
if before then redis.call('DEL', KEYS[1] .. ':' .. before .. ':log', KEYS[1] .. ':' .. before .. ':copy') end
return 1
"""
"""Begin an epoch in place of another, or of none. KEYS meta; ARGV the old epoch, the new one, its first number."""

_TAKE = """
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 0 end
local head = tonumber(redis.call('HGET', KEYS[1], 'head'))
local number = tonumber(ARGV[2])
if head == number - 1 then
  redis.call('XADD', KEYS[2], number .. '-0', 't', ARGV[3], 's', ARGV[4])
  redis.call('HSET', KEYS[1], 'head', number)
  return 1
end
local entry = redis.call('XRANGE', KEYS[2], number .. '-0', number .. '-0')[1]
if entry and entry[2][2] == ARGV[3] then return 1 end
return 0
"""
"""Take a change if it has the next number, or was taken before. KEYS meta, log; ARGV epoch, number, token, statements."""


@dataclass(frozen=True, slots=True)
class Missed:
    """What a replica at some place has not got."""

    epoch: str | None
    """None where there is nothing yet."""
    head: int
    changes: Sequence[tuple[int, Sequence[Statement]]]
    """Some of them, in order, by number; the first may be missing where it is no longer kept."""


class SharedChanges:
    """The changes of one database. Blocking: for its thread. All raise `redis.RedisError` or OSError."""

    def __init__(self, url: str, name: str) -> None:
        """`url` such as `redis://redis:6379/1`; `name` is the database's, equal for all replicas."""
        self._redis: redis.Redis = redis.Redis.from_url(
            url,
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
            # Each command may be carried out twice: a change is known by its token.
            retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), 3),
            retry_on_error=[redis.ConnectionError, redis.TimeoutError],
        )
        self._meta = f"concord:store:{name}"
        self._begin = self._redis.register_script(_BEGIN)
        self._take = self._redis.register_script(_TAKE)

    def missed(self, epoch: str, number: int) -> Missed:
        """Return what a replica misses that has an epoch's changes up to a number."""
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hmget(self._meta, "epoch", "head")
            pipeline.xrange(self._log(epoch), f"({number}-0", "+", _TAKEN_AT_ONCE)
            (current, head), entries = pipeline.execute()
        changes = [
            (int(entry_id.partition(b"-")[0]), msgspec.msgpack.decode(zlib.decompress(fields[b"s"])))
            for entry_id, fields in entries
        ]
        return Missed(None if current is None else current.decode(), int(head or 0), changes)

    def take(self, epoch: str, number: int, statements: Sequence[Statement]) -> bool:
        """Keep a change under the next number; False where another one has it."""
        packed = zlib.compress(msgspec.msgpack.encode(statements), 1)
        arguments: list[Any] = [epoch, number, secrets.token_hex(8), packed]
        return bool(self._take([self._meta, self._log(epoch)], arguments))

    def begin(self, before: str | None, epoch: str, number: int) -> bool:
        """Begin an epoch, whose copy is kept, at a number; False where another one was begun meanwhile."""
        return bool(self._begin([self._meta], [before or "", epoch, number]))

    def keep_copy(self, epoch: str, number: int, image: bytes) -> None:
        """Keep a database as it is after a change, and forget most of the changes before."""
        self._redis.set(f"{self._meta}:{epoch}:copy", zlib.compress(image, 1))
        self._redis.xtrim(self._log(epoch), minid=f"{max(0, number - _KEPT)}-0", approximate=False)

    def copy(self, epoch: str) -> bytes | None:
        """Return the epoch's newest copy."""
        found = self._redis.get(f"{self._meta}:{epoch}:copy")
        return None if found is None else zlib.decompress(found)  # type: ignore[arg-type]  # the client is not an async one

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()

    def _log(self, epoch: str) -> str:
        return f"{self._meta}:{epoch}:log"
