"""The event log of several processes: one Redis stream, whose entries are numbered by position."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from redis.asyncio.client import Pipeline
from redis.exceptions import RedisError

from gateway.events.event import Event, RecordedEvent, parse_event, print_event
from gateway.events.log import Appended, EventFilter, EventPage, LogBounds, PositionExpired, StoreUnavailable
from gateway.events.meter import EventMeter
from gateway.events.recent import RecentEvents
from gateway.events.redis_store import BLOCK_S, RedisStore
from gateway.events.waiters import Waiters
from gateway.redis_answer import answered

_PAGE = 500
"""Entries read in one call."""
_RETRY_S = 0.5
_AHEAD = 100_000
"""How far another process may be ahead of this one when a client comes over with its cursor."""

_APPEND = """
redis.call('HSETNX', KEYS[3], 'id', ARGV[2])
local recorded = {}
for i = 3, #ARGV, 3 do
  if redis.call('ZADD', KEYS[1], 'NX', ARGV[1], ARGV[i]) == 1 then
    local sequence = redis.call('HINCRBY', KEYS[2], ARGV[i + 1], 1)
    local position = redis.call('HINCRBY', KEYS[3], 'head', 1)
    redis.call('XADD', KEYS[4], position .. '-0', 'e', ARGV[i + 2], 's', sequence, 'r', ARGV[1])
    recorded[#recorded + 1] = position
  end
end
return recorded
"""
"""Atomic: de-duplicate, count and append. A log that was emptied gets a new name with its first event.

KEYS ids, subjects, log, stream; ARGV now, a new name, then id, subject, envelope each."""

_RENAME = """
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then return 0 end
if tonumber(redis.call('HGET', KEYS[1], 'head') or 0) >= tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], 'id', ARGV[3])
return 1
"""
"""Give a log that lost events another name. KEYS log; ARGV the old name, the position that was seen, the new name."""

_TRIM = """
redis.call('XTRIM', KEYS[1], 'MINID', (ARGV[1] + 1) .. '-0')
redis.call('HSET', KEYS[2], 'trimmed', ARGV[1])
return 1
"""


class RedisEventLog:
    """`EventLog` over a `RedisStore`, shared with other processes."""

    def __init__(
        self,
        store: RedisStore,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        id_memory: timedelta = timedelta(days=90),
        meter: EventMeter | None = None,
    ) -> None:
        """`id_memory` is how long a trimmed event's id still tells duplicates."""
        self._store = store
        self._clock = clock
        self._id_memory = id_memory
        self._waiters = Waiters(meter or EventMeter())
        self._bounds = LogBounds(log_id="", trimmed=0, head=0, ahead=_AHEAD)
        self._followed = 0
        """Events up to here were announced; what this process appends itself may be ahead of it."""
        self._recent = RecentEvents(0)
        self._append = store.redis.register_script(_APPEND)
        self._rename = store.redis.register_script(_RENAME)
        self._trim = store.redis.register_script(_TRIM)

    async def start(self) -> None:
        """Read what the log holds, naming a new one. Raises `StoreUnavailable`. Then run `follow` beside all else."""
        await self._store.call(self._store.redis.hsetnx(self._store.key("log"), "id", secrets.token_hex(4)))
        self._start_from(await self._read_bounds())

    async def follow(self) -> None:
        """Announce what any process appends, until cancelled; a Redis that is gone is asked again and again."""
        stream = self._store.key("stream")
        while True:
            try:
                reading = self._store.blocking.xread({stream: f"{self._followed}-0"}, _PAGE, round(BLOCK_S * 1000))
                answer: Any = await answered(reading)
                if not await self._is_replaced() and answer:
                    entries = dict(answer)[stream.encode()]
                    self._announce([recorded_entry(*entry) for entry in entries])
            except (RedisError, OSError, StoreUnavailable):
                await asyncio.sleep(_RETRY_S)

    def bounds(self) -> LogBounds:
        """Return what the log holds, as far as this process has heard."""
        return self._bounds

    async def append(self, events: Sequence[Event]) -> Appended:
        """Keep the events, in this order, all or none. Raises `StoreUnavailable`."""
        if not events:
            return Appended(accepted=0, duplicates=0)
        arguments: list[Any] = [repr(self._clock().timestamp()), secrets.token_hex(4)]
        for event in events:
            arguments += (event.id, event.subject, orjson.dumps(print_event(event)))
        keys = [self._store.key(name) for name in ("ids", "subjects", "log", "stream")]
        positions = await self._store.call(self._append(keys, arguments))
        if positions:
            self._advance(positions[-1])
        return Appended(accepted=len(positions), duplicates=len(events) - len(positions))

    async def read(self, after: int, wanted: EventFilter, limit: int) -> EventPage:
        """Return at most `limit` wanted events after a position. Raises `PositionExpired`, `StoreUnavailable`."""
        # While this process has not heard of all that it knows to be there, a reader must not be told that this is all.
        if self._bounds.trimmed <= after and self._bounds.head <= self._followed:
            page = self._recent.read(after, wanted, limit, head=self._followed)
            if page is not None:
                return page
        found: list[RecordedEvent] = []
        # As many as are wanted, where all are; more at a time where few are.
        position, size = after, min(limit + 1, _PAGE)
        while True:
            bounds, entries = await self._read_entries(position, size)
            if position < bounds.trimmed:
                raise PositionExpired
            for recorded in entries:
                if len(found) == limit:
                    return EventPage(events=tuple(found), position=found[-1].position, complete=False)
                position = recorded.position
                if wanted.matches(recorded.event):
                    found.append(recorded)
            if len(entries) < size:
                return EventPage(events=tuple(found), position=position, complete=True)
            size = _PAGE

    async def read_back(self, before: int | None, wanted: EventFilter, limit: int) -> tuple[RecordedEvent, ...]:
        """Return the newest wanted events before a position, or of all, newest first."""
        found: list[RecordedEvent] = []
        newest = "+" if before is None else f"({before}-0"
        while len(found) < limit:
            entries: Any = await self._store.call(
                self._store.redis.xrevrange(self._store.key("stream"), newest, "-", _PAGE)
            )
            page = [recorded_entry(*entry) for entry in entries]
            found += (recorded for recorded in page if wanted.matches(recorded.event))
            if len(page) < _PAGE:
                break
            newest = f"({page[-1].position}-0"
        return tuple(found[:limit])

    async def wait(self, after: int, wanted: EventFilter) -> int:
        """Return once a wanted event may exist after a position, with a position to read it from."""
        if after < self._bounds.head:
            return after
        return await self._waiters.wait(after, wanted)

    async def count(self, wanted: EventFilter) -> int:
        """Return how many wanted events are kept."""
        if wanted == EventFilter():
            return int(await self._store.call(self._store.redis.xlen(self._store.key("stream"))))
        count, position = 0, self._bounds.trimmed
        while True:
            _, entries = await self._read_entries(position, _PAGE)
            count += sum(wanted.matches(recorded.event) for recorded in entries)
            if len(entries) < _PAGE:
                return count
            position = entries[-1].position

    async def trim(self, recorded_before: datetime) -> int:
        """Forget the oldest events, up to the first one recorded at or after an instant. Returns how many."""
        forgotten = 0
        redis, stream = self._store.redis, self._store.key("stream")
        while True:
            entries: Any = await self._store.call(redis.xrange(stream, "-", "+", _PAGE))
            old: list[RecordedEvent] = []
            for entry in entries:
                recorded = recorded_entry(*entry)
                if recorded.recorded_at >= recorded_before:
                    break
                old.append(recorded)
            if old:
                await self._store.call(self._trim([stream, self._store.key("log")], [old[-1].position]))
                forgotten += len(old)
            if len(old) < _PAGE:
                break
        forgettable = (recorded_before - self._id_memory).timestamp()
        await self._store.call(redis.zremrangebyscore(self._store.key("ids"), "-inf", f"({forgettable}"))
        fresh = await self._read_bounds()
        self._bounds = LogBounds(
            log_id=fresh.log_id, trimmed=fresh.trimmed, head=max(self._bounds.head, fresh.trimmed), ahead=_AHEAD
        )
        return forgotten

    async def _read_entries(self, after: int, size: int) -> tuple[LogBounds, list[RecordedEvent]]:
        """Return up to `size` entries after a position, and the bounds at the same moment."""

        def fill(pipeline: Pipeline) -> None:
            pipeline.hmget(self._store.key("log"), "id", "trimmed", "head")
            pipeline.xrange(self._store.key("stream"), f"({after}-0", "+", size)

        row, entries = await self._store.transact(fill)
        return _bounds(row), [recorded_entry(*entry) for entry in entries]

    async def _read_bounds(self) -> LogBounds:
        names = ["id", "trimmed", "head"]
        row: Any = await self._store.call(self._store.redis.hmget(self._store.key("log"), names))
        return _bounds(row)

    async def _is_replaced(self) -> bool:
        """Start over when Redis was emptied or lost events: cursors of the lost log are refused, readers are told."""
        bounds = await self._read_bounds()
        if not bounds.log_id:
            await self.start()
        elif bounds.log_id != self._bounds.log_id:
            self._start_from(bounds)
        elif bounds.head < self._followed:
            # It came back without its last events; the same positions will be other events.
            arguments: list[Any] = [bounds.log_id, self._followed, secrets.token_hex(4)]
            await self._store.call(self._rename([self._store.key("log")], arguments))
            self._start_from(await self._read_bounds())
        else:
            return False
        self._waiters.wake_all()
        return True

    def _announce(self, recorded: Iterable[RecordedEvent]) -> None:
        announced = tuple(recorded)
        self._followed = announced[-1].position
        self._recent.extend(announced)
        self._advance(self._followed)
        self._waiters.announce(announced)

    def _start_from(self, bounds: LogBounds) -> None:
        self._bounds = bounds
        self._followed = bounds.head
        self._recent.restart(bounds.head)

    def _advance(self, head: int) -> None:
        self._bounds = replace(self._bounds, head=max(self._bounds.head, head))


def _bounds(row: Sequence[bytes | None]) -> LogBounds:
    log_id, trimmed, head = row
    return LogBounds(log_id=(log_id or b"").decode(), trimmed=int(trimmed or 0), head=int(head or 0), ahead=_AHEAD)


def recorded_entry(entry_id: bytes, fields: dict[bytes, bytes]) -> RecordedEvent:
    """Return the event in an entry of the stream."""
    return RecordedEvent(
        event=parse_event(orjson.loads(fields[b"e"])),
        position=int(entry_id.partition(b"-")[0]),
        sequence=int(fields[b"s"]),
        recorded_at=datetime.fromtimestamp(float(fields[b"r"]), UTC),
    )
