"""Subscribers see every event they want, once and in order, wherever replay ends and live begins."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from gateway.errors import GatewayError
from gateway.events.cursor import print_cursor
from gateway.events.event import parse_event
from gateway.events.log import EventFilter
from gateway.events.shared import shared_events
from gateway.events.source_stream import EventStreams, GapReason, StreamedEvent, WhenBehind

EVERYTHING = EventFilter()


@pytest.fixture
def make(activated):
    return lambda *args, **kwargs: parse_event(activated(*args, **kwargs))


async def take(stream, count):
    """The next `count` events; the stream is closed after them."""
    taken = []
    async with asyncio.timeout(60), aclosing(stream):
        async for event in stream:
            taken.append(event)
            if len(taken) == count:
                break
    return taken


def ids(events):
    return [event.recorded.event.id for event in events]


async def test_without_a_cursor_a_stream_starts_at_this_moment(events, make):
    await events.log.append([make(1)])
    stream = events.streams.subscribe(EVERYTHING)
    await events.log.append([make(2)])
    assert ids(await take(stream, 1)) == ["billing:evt_2:contract.activated"]


async def test_between_replay_and_live_nothing_is_missed_or_doubled(events, make):
    """Five publishers write while subscribers begin at different moments from the same cursor, in small pages."""
    streams = EventStreams(events.log, page=7)
    stream = streams.subscribe(EVERYTHING)
    await events.log.append([make(0)])
    (start,) = await take(stream, 1)

    async def publish(publisher):
        for n in range(40):
            await events.log.append([make(1 + publisher * 40 + n, contract=f"CON-{publisher}")])

    async def subscribe(delay_s):
        await asyncio.sleep(delay_s)
        return ids(await take(streams.subscribe(EVERYTHING, start.cursor), 200))

    async with asyncio.TaskGroup() as group:
        subscribers = [group.create_task(subscribe(number / 200)) for number in range(8)]
        for publisher in range(5):
            group.create_task(publish(publisher))
    written = [event.event.id for event in (await events.log.read(1, EVERYTHING, 500)).events]
    assert len(set(written)) == 200
    assert all(task.result() == written for task in subscribers)


async def test_reconnecting_after_each_event_gives_the_whole_story(events, make):
    stream = events.streams.subscribe(EVERYTHING)
    await events.log.append([make(n) for n in range(30)])
    (event,) = await take(stream, 1)
    story = [event]
    while len(story) < 30:
        story += await take(events.streams.subscribe(EVERYTHING, story[-1].cursor), 1)
    assert ids(story) == [f"billing:evt_{n}:contract.activated" for n in range(30)]


async def test_two_subscribers_see_what_each_asked_for(events, make, gid):
    ours = EventFilter(keys={"customer": frozenset({gid("Customer", "ours")})})
    contract = EventFilter(types=frozenset({"concord.contract.activated.v1"}), keys={"contract": frozenset({"CON-2"})})
    first, second = events.streams.subscribe(ours), events.streams.subscribe(contract)
    async with asyncio.TaskGroup() as group:
        one = group.create_task(take(first, 2))
        two = group.create_task(take(second, 2))
        await asyncio.sleep(0.01)
        await events.log.append([make(1, customer="ours"), make(2, customer="theirs")])
        await events.log.append([make(3, contract="CON-2"), make(4, contract="CON-2", customer="ours")])
    assert ids(one.result()) == ["billing:evt_1:contract.activated", "billing:evt_4:contract.activated"]
    assert ids(two.result()) == ["billing:evt_3:contract.activated", "billing:evt_4:contract.activated"]


async def test_a_quiet_subscriber_does_not_expire_with_other_peoples_events(events, make, gid):
    ours = EventFilter(keys={"customer": frozenset({gid("Customer", "ours")})})
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(take(events.streams.subscribe(ours), 1))
        await asyncio.sleep(0.5)  # it has read what there is and waits, in a log that is asked over a socket too
        await events.log.append([make(n) for n in range(5)])
        await events.log.trim(datetime.now(UTC) + timedelta(seconds=1))
        await events.log.append([make(9, customer="ours")])
    assert ids(waiting.result()) == ["billing:evt_9:contract.activated"]


async def test_expired_and_foreign_cursors_are_refused_when_subscribing(events, make):
    stream = events.streams.subscribe(EVERYTHING)
    await events.log.append([make(1), make(2)])
    first, _ = await take(stream, 2)
    await events.log.trim(datetime.now(UTC) + timedelta(seconds=1))
    for cursor, code in ((first.cursor, "EVENT_CURSOR_EXPIRED"), ("nonsense", "EVENT_CURSOR_INVALID")):
        with pytest.raises(GatewayError) as refusal:
            events.streams.subscribe(EVERYTHING, cursor)
        assert refusal.value.code == code


async def test_a_subscriber_slower_than_retention_is_told_so(events, make):
    streams = EventStreams(events.log, page=1)
    stream = streams.subscribe(EVERYTHING)
    await events.log.append([make(1), make(2)])
    async with aclosing(stream):
        assert ids([await anext(stream)]) == ["billing:evt_1:contract.activated"]
        await events.log.trim(datetime.now(UTC) + timedelta(seconds=1))
        with pytest.raises(GatewayError) as refusal:
            await anext(stream)
    assert refusal.value.code == "EVENT_CURSOR_EXPIRED"


async def test_a_subscriber_that_coalesces_gets_the_newest_of_each_subject_and_type(events, make):
    streams = EventStreams(events.log, page=50)
    stream = streams.subscribe(EVERYTHING, when_behind=WhenBehind.COALESCE)
    await events.log.append([make(n, contract=f"CON-{n % 2}") for n in range(7)])
    taken = await take(stream, 2)
    assert [(each.recorded.event.id, each.coalesced) for each in taken] == [
        ("billing:evt_5:contract.activated", 2),
        ("billing:evt_6:contract.activated", 3),
    ]
    await events.log.append([make(7)])
    (after,) = await take(streams.subscribe(EVERYTHING, taken[-1].cursor, WhenBehind.COALESCE), 1)
    assert (after.recorded.event.id, after.coalesced) == ("billing:evt_7:contract.activated", 0)


async def test_a_subscriber_that_skips_is_told_how_many_it_missed_and_goes_on_with_the_newest(events, make):
    streams = EventStreams(events.log, page=10, far_behind=25)
    wanted = EventFilter(keys={"contract": frozenset({"CON-1"})})
    stream = streams.subscribe(wanted, when_behind=WhenBehind.SKIP)
    await events.log.append([make(n, contract=f"CON-{n % 2}") for n in range(50)])
    near = streams.subscribe(wanted, streams_cursor(events, 0), WhenBehind.SKIP)
    assert len(ids(await take(near, 25))) == 25  # not far behind: nothing is skipped
    await events.log.append([make(n, contract=f"CON-{n % 2}") for n in range(50, 62)])
    gap = await anext(stream)
    assert (gap.reason, gap.missed) == (GapReason.SKIPPED, 31)
    await events.log.append([make(101, contract="CON-1")])
    assert (await anext(stream)).recorded.event.id == "billing:evt_101:contract.activated"
    await stream.aclose()
    resumed = streams.subscribe(wanted, gap.cursor)
    assert ids(await take(resumed, 1)) == ["billing:evt_101:contract.activated"]


def streams_cursor(events, position):
    return print_cursor(events.log.bounds().log_id, position)


async def test_what_is_no_longer_kept_is_announced_or_ends_the_stream(events, make):
    streams = EventStreams(events.log, page=2)
    slow = {policy: streams.subscribe(EVERYTHING, when_behind=policy) for policy in WhenBehind}
    await events.log.append([make(n) for n in range(6)])
    first = {policy: await anext(stream) for policy, stream in slow.items()}
    await events.log.trim(datetime.now(UTC) + timedelta(seconds=1))
    await events.log.append([make(6)])
    with pytest.raises(GatewayError) as expired:
        await take(slow[WhenBehind.KEEP], 5)
    assert expired.value.code == "EVENT_CURSOR_EXPIRED"
    with pytest.raises(GatewayError) as refused:
        streams.subscribe(EVERYTHING, first[WhenBehind.KEEP].cursor)
    assert refused.value.code == "EVENT_CURSOR_EXPIRED"
    for policy in (WhenBehind.COALESCE, WhenBehind.SKIP):
        again = streams.subscribe(EVERYTHING, first[WhenBehind.KEEP].cursor, policy)
        for stream in (slow[policy], again):
            while isinstance(told := await asyncio.wait_for(anext(stream), 60), StreamedEvent):
                pass  # what it held of its page before
            assert (told.reason, told.missed) == (GapReason.EXPIRED, None)
            (after,) = await take(stream, 1)
            assert after.recorded.event.id == "billing:evt_6:contract.activated"


async def test_a_shared_log_that_was_lost_is_a_gap_for_all_who_listen(redis_url, make):
    async with Redis.from_url(redis_url) as redis, shared_events(redis_url) as events:
        await redis.flushall()
        async with asyncio.timeout(60):
            while events.log.bounds().head or not await redis.exists("concord:events:log"):  # noqa: ASYNC110 - Redis has no event for it
                await asyncio.sleep(0.05)
        streams = {policy: events.streams.subscribe(EVERYTHING, when_behind=policy) for policy in WhenBehind}
        await events.log.append([make(n) for n in range(3)])
        before = {
            policy: [await anext(stream) for _ in range(3)]
            for policy, stream in streams.items()
            if policy is not WhenBehind.COALESCE
        }
        lost = before[WhenBehind.KEEP][-1].cursor
        waiting = {policy: asyncio.create_task(anext(stream)) for policy, stream in streams.items() if policy in before}
        await redis.flushall()
        await events.log.append([make(n) for n in range(10, 15)])  # as many as were lost, and more
        gap = await asyncio.wait_for(waiting[WhenBehind.SKIP], 60)
        assert (gap.reason, gap.missed) == (GapReason.LOG_REPLACED, None)
        with pytest.raises(GatewayError) as ended:
            await asyncio.wait_for(waiting[WhenBehind.KEEP], 60)
        assert ended.value.code == "EVENT_CURSOR_EXPIRED"
        assert ids(await take(streams[WhenBehind.SKIP], 5)) == [make(n).id for n in range(10, 15)]
        with pytest.raises(GatewayError) as refused:
            events.streams.subscribe(EVERYTHING, lost)
        assert refused.value.code == "EVENT_CURSOR_INVALID"
        await streams[WhenBehind.COALESCE].aclose()
