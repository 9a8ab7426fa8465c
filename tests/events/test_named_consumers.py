"""A named consumer's place outlives it: what it did not acknowledge is taken again, by one process at a time."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from gateway.events.consumers import ServedElsewhere
from gateway.events.event import parse_event
from gateway.events.redis_consumers import RedisConsumers
from gateway.events.redis_log import RedisEventLog
from gateway.events.redis_store import RedisStore
from gateway.events.shared import shared_events


@pytest.fixture
def make(activated):
    return lambda *args, **kwargs: parse_event(activated(*args, **kwargs))


def ids(recorded):
    return [int(each.event.id.split("_")[1].split(":")[0]) for each in recorded]


async def taken(consumer, count, limit=100):
    found = []
    async with asyncio.timeout(60):
        while len(found) < count:
            found += await consumer.take(limit)
    return found


async def test_what_is_not_acknowledged_comes_again_in_order(events, make):
    async with events.consumers.serving("analytics") as consumer:
        await events.log.append([make(n) for n in range(6)])
        first = await taken(consumer, 4, limit=4)
        assert ids(first) == [0, 1, 2, 3]
        await consumer.acknowledge(first[0].position, first[1].position)
    async with events.consumers.serving("analytics") as consumer:
        again = await taken(consumer, 4)
        assert ids(again) == [2, 3, 4, 5]
        for recorded in again:
            await consumer.acknowledge(recorded.position)
        waiting = asyncio.create_task(consumer.take(10))
        await events.log.append([make(6)])
        assert ids(await asyncio.wait_for(waiting, 60)) == [6]
    (state,) = await events.consumers.states()
    assert (state.name, state.waiting, state.missed) == ("analytics", 1, 0)


async def test_a_new_consumer_begins_with_what_comes_from_now_on(events, make):
    await events.log.append([make(1)])
    async with events.consumers.serving("late") as consumer:
        await events.log.append([make(2)])
        assert ids(await taken(consumer, 1)) == [2]
    async with events.consumers.serving("later"):
        assert [state.name for state in await events.consumers.states()] == ["late", "later"]


async def test_events_that_retention_took_first_are_counted_as_missed(events, make):
    async with events.consumers.serving("slow") as consumer:
        await events.log.append([make(n) for n in range(5)])
        held = await taken(consumer, 5)
        await consumer.acknowledge(held[0].position)
    await events.log.trim(datetime.now(UTC) + timedelta(seconds=1))
    await events.log.append([make(5)])
    async with events.consumers.serving("slow") as consumer:
        assert ids(await taken(consumer, 1)) == [5]
        (state,) = await events.consumers.states()
        assert state.missed == 4


async def test_a_process_that_hangs_loses_the_consumer_and_can_acknowledge_nothing(redis_url, make):
    """The first holder's lease is not renewed, as of a process that is stopped; the second goes on with all it left."""
    async with AsyncExitStack() as stack:
        async with Redis.from_url(redis_url) as redis:
            await redis.flushall()
        events = await stack.enter_async_context(shared_events(redis_url))
        store = RedisStore(redis_url)
        stack.push_async_callback(store.close)
        log = RedisEventLog(store)
        await log.start()
        hung = RedisConsumers(store, log, lease_s=0.4)
        async with hung.serving("one") as consumer:
            await events.log.append([make(n) for n in range(4)])
            first = await taken(consumer, 4)
            await consumer.acknowledge(first[0].position)
            consumer._keeping.cancel()  # nobody renews the lease
            async with asyncio.timeout(60), events.consumers.serving("one") as second:
                with pytest.raises(ServedElsewhere):
                    await consumer.acknowledge(first[1].position)
                with pytest.raises(ServedElsewhere):
                    await consumer.take(1)
                again = await taken(second, 3)
                assert ids(again) == [1, 2, 3]
                for recorded in again:
                    await second.acknowledge(recorded.position)
                (state,) = await events.consumers.states()
                assert (state.unacknowledged, state.waiting) == (0, 0)


async def test_one_process_at_a_time_serves_a_consumer(redis_url, make):
    async with shared_events(redis_url) as a, shared_events(redis_url) as b:
        order = []

        async def serve(name, events):
            async with events.consumers.serving("alone"):
                order.append(f"{name} in")
                await asyncio.sleep(0.05)
                order.append(f"{name} out")

        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(serve("a", a))
            group.create_task(serve("b", b))
        first, second = order[0][0], order[2][0]
        assert order == [f"{first} in", f"{first} out", f"{second} in", f"{second} out"]
        assert {first, second} == {"a", "b"}
