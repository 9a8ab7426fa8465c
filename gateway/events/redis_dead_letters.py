"""Dead letters of several gateways, in the Redis they share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from gateway.events.contracts import BrokenContract
from gateway.events.dead_letters import DeadLetter, DeadLetterCause, RejectedEvent
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
_DISCARD = """
local fingerprint = redis.call('HGET', KEYS[3] .. ARGV[1], 'fingerprint')
if not fingerprint then return 0 end
redis.call('HDEL', KEYS[1], fingerprint)
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('DEL', KEYS[3] .. ARGV[1])
return 1
"""
_PAGE = 500


class RedisDeadLetters:
    """`DeadLetters` over a `RedisStore`."""

    def __init__(self, store: RedisStore, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._store = store
        self._clock = clock
        self._keys = [store.key(f"dead-letters:{name}") for name in ("fingerprints", "numbers", "letter:", "last")]
        self._add = store.redis.register_script(_ADD)
        self._discard = store.redis.register_script(_DISCARD)

    async def add(self, rejected: Sequence[RejectedEvent]) -> tuple[int, ...]:
        """Keep the events and return their numbers; the same element again gets its first number."""
        now = repr(self._clock().timestamp())
        numbers: list[int] = []
        for letter in rejected:
            fingerprint = hashlib.sha256(letter.body).hexdigest()
            numbers.append(await self._store.call(self._add(self._keys, [fingerprint, _print_letter(letter), now])))
        return tuple(numbers)

    async def read(self, after: int, limit: int) -> tuple[DeadLetter, ...]:
        """Return letters with numbers above `after`, oldest first."""
        redis = self._store.redis
        numbers: Any = await self._store.call(
            redis.zrangebyscore(self._keys[1], f"({after}", "+inf", start=0, num=limit)
        )
        async with redis.pipeline(transaction=True) as pipeline:
            for number in numbers:
                pipeline.hgetall(self._keys[2] + number.decode())
            rows = await self._store.call(pipeline.execute())
        return tuple(_letter(int(number), row) for number, row in zip(numbers, rows, strict=True) if row)

    async def causes(self) -> tuple[DeadLetterCause, ...]:
        """Return the letters grouped by type and rule, the most frequent first."""
        groups: dict[tuple[str | None, str], tuple[int, datetime]] = {}
        after = 0
        while page := await self.read(after, _PAGE):
            for letter in page:
                cause = (letter.rejected.event_type, letter.rejected.broken.rule)
                count, last = groups.get(cause, (0, letter.last_seen))
                groups[cause] = (count + 1, max(last, letter.last_seen))
            after = page[-1].number
        ordered = sorted(groups.items(), key=lambda group: (-group[1][0], group[0][0] or "", group[0][1]))
        return tuple(
            DeadLetterCause(event_type=event_type, rule=rule, letters=count, last_seen=last)
            for (event_type, rule), (count, last) in ordered
        )

    async def discard(self, number: int) -> bool:
        """Forget a letter; False if there is none with this number."""
        return bool(await self._store.call(self._discard(self._keys, [number])))


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
        first_seen=datetime.fromtimestamp(float(row[b"first"]), UTC),
        last_seen=datetime.fromtimestamp(float(row[b"last"]), UTC),
    )
