"""Named consumers of several processes: a consumer group of the stream each, and a lease that one process holds.

A group alone would hand one subject's events to several processes at once and lose their order; so whoever holds the
lease reads for all, and takes over what its predecessor left unacknowledged.
https://redis.io/docs/latest/commands/xautoclaim/
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from redis.exceptions import ResponseError

from gateway.events.consumers import Consumer, ConsumerState, ServedElsewhere
from gateway.events.event import RecordedEvent
from gateway.events.log import EventFilter, EventLog, StoreUnavailable
from gateway.events.redis_log import RedisEventLog, recorded_entry
from gateway.events.redis_store import RedisStore

LEASE_S = 10.0
"""How long a process that died or hangs keeps others from going on."""
_LOOK_S = 1.0
_EVERYTHING = EventFilter()
_RETRY_S = 0.5

_RENEW = (
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) else return 0 end"
)
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) else return 0 end"
_ACKNOWLEDGE = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return -1 end
return redis.call('XACK', KEYS[1], unpack(ARGV, 2))
"""
"""Fenced: a process that lost its lease acknowledges nothing. KEYS stream, lease; ARGV holder, group, entries."""


class RedisConsumers:
    """`Consumers` over a `RedisStore`, shared with other processes."""

    def __init__(self, store: RedisStore, log: RedisEventLog, *, lease_s: float = LEASE_S) -> None:
        self._store = store
        self._log = log
        self._lease_s = lease_s
        self._renew = store.redis.register_script(_RENEW)
        self._release = store.redis.register_script(_RELEASE)
        self._acknowledge = store.redis.register_script(_ACKNOWLEDGE)

    @asynccontextmanager
    async def serving(self, name: str) -> AsyncIterator[Consumer]:
        """Wait for the lease, then serve the consumer until the block ends or the lease is lost."""
        lease = self._store.key(f"consumer:{name}:lease")
        holder = secrets.token_hex(8)
        await self._acquire(lease, holder)
        keeping = asyncio.create_task(self._keep(lease, holder), name=f"lease of {name}")
        try:
            await self._create_group(name)
            yield _RedisConsumer(self._store, self._log, name, lease, holder, keeping, self._acknowledge)
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            with suppress(StoreUnavailable):
                await self._store.call(self._release([lease], [holder]))

    async def states(self) -> Sequence[ConsumerState]:
        """Return how far each consumer is, by name."""
        try:
            groups: Any = await self._store.call(self._store.redis.xinfo_groups(self._store.key("stream")))
        except StoreUnavailable as error:
            if isinstance(error.__cause__, ResponseError):  # there is no stream yet, and so no consumer
                return []
            raise
        missed: Any = await self._store.call(self._store.redis.hgetall(self._store.key("consumers:missed")))
        # Positions count without holes here, so their difference is a number of events.
        head = self._log.bounds().head
        states = []
        for group in sorted(groups, key=lambda each: each["name"]):
            position = int(group["last-delivered-id"].partition(b"-")[0])
            states.append(
                ConsumerState(
                    name=group["name"].decode(),
                    position=position,
                    unacknowledged=group["pending"],
                    waiting=max(0, head - position) + group["pending"],
                    missed=int(missed.get(group["name"], 0)),
                )
            )
        return states

    async def _acquire(self, lease: str, holder: str) -> None:
        while True:
            with suppress(StoreUnavailable):
                if await self._store.call(
                    self._store.redis.set(lease, holder, nx=True, px=round(self._lease_s * 1000))
                ):
                    return
            await asyncio.sleep(_RETRY_S)

    async def _keep(self, lease: str, holder: str) -> None:
        """Renew the lease until another process has it."""
        while True:
            await asyncio.sleep(self._lease_s / 4)
            with suppress(StoreUnavailable):
                if not await self._store.call(self._renew([lease], [holder, round(self._lease_s * 1000)])):
                    return

    async def _create_group(self, name: str) -> None:
        bounds = self._log.bounds()
        try:
            await self._store.call(
                self._store.redis.xgroup_create(self._store.key("stream"), name, f"{bounds.head}-0", mkstream=True)
            )
        except StoreUnavailable as error:
            if "BUSYGROUP" not in str(error.__cause__):
                raise


class _RedisConsumer:
    def __init__(
        self,
        store: RedisStore,
        log: EventLog,
        name: str,
        lease: str,
        holder: str,
        keeping: asyncio.Task[None],
        acknowledge: Any,
    ) -> None:
        self._store = store
        self._log = log
        self._name = name
        self._lease = lease
        self._holder = holder
        self._keeping = keeping
        self._acknowledge = acknowledge
        self._left = "0-0"
        """Where to go on claiming what a predecessor left; empty once all is claimed."""

    async def take(self, limit: int) -> tuple[RecordedEvent, ...]:
        """Wait for events and return some, oldest first."""
        stream = self._store.key("stream")
        while not self._keeping.done():
            head = self._log.bounds().head
            if self._left:
                entries = await self._claim(stream, limit)
            else:
                answer: Any = await self._store.call(
                    self._store.redis.xreadgroup(self._name, self._holder, {stream: ">"}, count=limit)
                )
                entries = dict(answer)[stream.encode()] if answer else []
            if entries:
                return tuple(recorded_entry(*entry) for entry in entries)
            if not self._left:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_S):  # the lease may be lost meanwhile
                        await self._log.wait(head, _EVERYTHING)
        raise ServedElsewhere(self._name)

    async def acknowledge(self, *positions: int) -> None:
        """Note that the events at these positions are dealt with."""
        keys = [self._store.key("stream"), self._lease]
        arguments = [self._holder, self._name, *(f"{position}-0" for position in positions)]
        if await self._store.call(self._acknowledge(keys, arguments)) == -1:
            raise ServedElsewhere(self._name)

    async def _claim(self, stream: str, limit: int) -> list[Any]:
        """Take over what was taken and not acknowledged; of that, what retention has removed is counted as missed."""
        answer: Any = await self._store.call(
            self._store.redis.xautoclaim(stream, self._name, self._holder, 0, self._left, count=limit)
        )
        following, entries, *deleted = answer
        self._left = "" if following == b"0-0" else following.decode()
        if deleted and deleted[0]:
            await self._store.call(
                self._store.redis.hincrby(self._store.key("consumers:missed"), self._name, len(deleted[0]))
            )
        return list(entries)
