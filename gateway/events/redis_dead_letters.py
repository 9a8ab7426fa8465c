"""Dead letters of several gateways, in the Redis they share."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from redis.asyncio.client import Pipeline

from gateway.events.contracts import BrokenContract
from gateway.events.dead_letters import (
    ALL,
    DeadLetter,
    DeadLetterCause,
    DeadLetterFilter,
    DeadLetterState,
    RejectedEvent,
    Settled,
)
from gateway.events.redis_store import RedisStore

_ADD = """
local number = redis.call('HGET', KEYS[1], ARGV[1])
if not number then
  number = redis.call('INCR', KEYS[4])
  redis.call('HSET', KEYS[1], ARGV[1], number)
  redis.call('ZADD', KEYS[2], number, number)
  redis.call('HSET', KEYS[3] .. number, 'letter', ARGV[2], 'first', ARGV[3], 'times', 0, 'fingerprint', ARGV[1])
end
redis.call('HINCRBY', KEYS[3] .. number, 'times', 1)
redis.call('HSET', KEYS[3] .. number, 'last', ARGV[3])
return tonumber(number)
"""
_SETTLE = """
if redis.call('EXISTS', KEYS[3] .. ARGV[1]) == 0 then return 0 end
if redis.call('HSETNX', KEYS[3] .. ARGV[1], 'state', ARGV[2]) == 0 then return 0 end
redis.call('HSET', KEYS[3] .. ARGV[1], 'settled', ARGV[3], 'reason', ARGV[4])
redis.call('ZADD', KEYS[5], ARGV[3], ARGV[1])
return 1
"""
_FORGET = """
for _, number in ipairs(redis.call('ZRANGEBYSCORE', KEYS[5], '-inf', '(' .. ARGV[1], 'LIMIT', 0, 500)) do
  redis.call('HDEL', KEYS[1], redis.call('HGET', KEYS[3] .. number, 'fingerprint'))
  redis.call('ZREM', KEYS[2], number)
  redis.call('DEL', KEYS[3] .. number)
  redis.call('ZREM', KEYS[5], number)
end
return redis.call('ZCOUNT', KEYS[5], '-inf', '(' .. ARGV[1])
"""
_PAGE = 500


class RedisDeadLetters:
    """`DeadLetters` over a `RedisStore`."""

    def __init__(self, store: RedisStore, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._store = store
        self._clock = clock
        names = ("fingerprints", "numbers", "letter:", "last", "settled")
        self._keys = [store.key(f"dead-letters:{name}") for name in names]
        self._add = store.redis.register_script(_ADD)
        self._settle = store.redis.register_script(_SETTLE)
        self._forget = store.redis.register_script(_FORGET)

    async def add(self, rejected: Sequence[RejectedEvent]) -> tuple[int, ...]:
        """Keep the events and return their numbers; the same element again gets its first number."""
        now = repr(self._clock().timestamp())
        numbers: list[int] = []
        for letter in rejected:
            fingerprint = hashlib.sha256(letter.body).hexdigest()
            numbers.append(await self._store.call(self._add(self._keys, [fingerprint, _print_letter(letter), now])))
        return tuple(numbers)

    async def read(self, after: int, limit: int, wanted: DeadLetterFilter = ALL) -> tuple[DeadLetter, ...]:
        """Return wanted letters with numbers above `after`, oldest first."""
        found: list[DeadLetter] = []
        while len(found) < limit:
            page, after, complete = await self._page(after)
            found += filter(wanted.matches, page)
            if complete:
                break
        return tuple(found[:limit])

    async def read_back(self, before: int | None, limit: int, wanted: DeadLetterFilter = ALL) -> tuple[DeadLetter, ...]:
        """Return wanted letters with numbers below `before`, or of all, newest first."""
        found: list[DeadLetter] = []
        newest = "+inf" if before is None else f"({before}"
        while len(found) < limit:
            numbers: Any = await self._store.call(
                self._store.redis.zrevrangebyscore(self._keys[1], newest, "-inf", start=0, num=_PAGE)
            )
            found += filter(wanted.matches, await self._letters(numbers))
            if len(numbers) < _PAGE:
                break
            newest = f"({int(numbers[-1])}"
        return tuple(found[:limit])

    async def get(self, number: int) -> DeadLetter | None:
        """Return one letter; None if there is none with this number."""
        row: Any = await self._store.call(self._store.redis.hgetall(self._keys[2] + str(number)))
        return _letter(number, row) if row else None

    async def count(self, wanted: DeadLetterFilter = ALL) -> int:
        """Return how many wanted letters are kept."""
        redis = self._store.redis
        if wanted in (ALL, DeadLetterFilter(state=DeadLetterState.WAITING)):
            every = int(await self._store.call(redis.zcard(self._keys[1])))
            return every if wanted == ALL else every - int(await self._store.call(redis.zcard(self._keys[4])))
        return len(await self.read(0, sys.maxsize, wanted))

    async def causes(self) -> tuple[DeadLetterCause, ...]:
        """Return the waiting letters grouped by type and rule, the most frequent first."""
        groups: dict[tuple[str | None, str], tuple[int, datetime]] = {}
        for letter in await self.read(0, sys.maxsize, DeadLetterFilter(state=DeadLetterState.WAITING)):
            cause = (letter.rejected.event_type, letter.rejected.broken.rule)
            count, last = groups.get(cause, (0, letter.last_seen))
            groups[cause] = (count + 1, max(last, letter.last_seen))
        ordered = sorted(groups.items(), key=lambda group: (-group[1][0], group[0][0] or "", group[0][1]))
        return tuple(
            DeadLetterCause(event_type=event_type, rule=rule, letters=count, last_seen=last)
            for (event_type, rule), (count, last) in ordered
        )

    async def settle(self, number: int, state: DeadLetterState, reason: str | None) -> bool:
        """Note what became of a waiting letter; False if none waits under this number."""
        arguments = [number, state.value, repr(self._clock().timestamp()), orjson.dumps(reason)]
        return bool(await self._store.call(self._settle(self._keys, arguments)))

    async def trim(self, settled_before: datetime) -> int:
        """Forget letters that were settled before an instant. Returns how many."""
        before = int(await self._store.call(self._store.redis.zcard(self._keys[4])))
        while await self._store.call(self._forget(self._keys, [repr(settled_before.timestamp())])):
            pass
        return before - int(await self._store.call(self._store.redis.zcard(self._keys[4])))

    async def _page(self, after: int) -> tuple[list[DeadLetter], int, bool]:
        """Return some letters after a number, the number to go on from, and whether these were the last."""
        numbers: Any = await self._store.call(
            self._store.redis.zrangebyscore(self._keys[1], f"({after}", "+inf", start=0, num=_PAGE)
        )
        return await self._letters(numbers), int(numbers[-1]) if numbers else after, len(numbers) < _PAGE

    async def _letters(self, numbers: Sequence[bytes]) -> list[DeadLetter]:
        def fill(pipeline: Pipeline) -> None:
            for number in numbers:
                pipeline.hgetall(self._keys[2] + number.decode())

        rows = await self._store.transact(fill)
        return [_letter(int(number), row) for number, row in zip(numbers, rows, strict=True) if row]


def _print_letter(letter: RejectedEvent) -> bytes:
    return orjson.dumps(
        [
            letter.event_id,
            letter.event_type,
            letter.source,
            letter.broken.rule,
            letter.broken.message,
            letter.body.decode(),
        ]
    )


def _letter(number: int, row: dict[bytes, bytes]) -> DeadLetter:
    event_id, event_type, source, rule, message, body = orjson.loads(row[b"letter"])
    settled = None
    if b"settled" in row:
        settled = Settled(
            state=DeadLetterState(row[b"state"].decode()),
            at=_instant(row[b"settled"]),
            reason=orjson.loads(row[b"reason"]),
        )
    return DeadLetter(
        number=number,
        rejected=RejectedEvent(
            event_id=event_id,
            event_type=event_type,
            source=source,
            broken=BrokenContract(rule, message),
            body=body.encode(),
        ),
        times=int(row[b"times"]),
        first_seen=_instant(row[b"first"]),
        last_seen=_instant(row[b"last"]),
        settled=settled,
    )


def _instant(seconds: bytes) -> datetime:
    return datetime.fromtimestamp(float(seconds), UTC)
