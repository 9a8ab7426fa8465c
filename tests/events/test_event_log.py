"""The log holds what it acknowledged, in order, over restarts and as long as retention says."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis

from gateway.errors import GatewayError
from gateway.events.cursor import parse_cursor, print_cursor
from gateway.events.embedded import embedded_events
from gateway.events.event import parse_event
from gateway.events.log import EventFilter, PositionExpired, StoreUnavailable
from gateway.events.shared import shared_events

EVERYTHING = EventFilter()


@pytest.fixture
def make(activated):
    return lambda *args, **kwargs: parse_event(activated(*args, **kwargs))


async def test_a_restart_keeps_events_ids_sequences_and_cursors(tmp_path, make):
    path = tmp_path / "events.sqlite"
    async with embedded_events(path) as events:
        await events.log.append([make(1), make(2)])
        before = (await events.log.read(0, EVERYTHING, 10)).events
        bounds = events.log.bounds()
    async with embedded_events(path) as events:
        assert events.log.bounds() == bounds
        assert (await events.log.read(0, EVERYTHING, 10)).events == before
        assert (await events.log.append([make(2), make(3)])).duplicates == 1
        page = await events.log.read(2, EVERYTHING, 10)
        assert [(event.event, event.sequence, event.position) for event in page.events] == [(make(3), 3, 3)]


async def test_retention_forgets_events_but_not_their_ids_and_sequences(events, make):
    log = events.log
    await log.append([make(1), make(2)])
    assert await log.trim(datetime.now(UTC) + timedelta(seconds=1)) == 2
    assert (await log.append([make(1), make(3)])).duplicates == 1
    with pytest.raises(PositionExpired):
        await log.read(1, EVERYTHING, 10)
    page = await log.read(2, EVERYTHING, 10)
    assert [(event.event.id, event.sequence) for event in page.events] == [("billing:evt_3:contract.activated", 3)]
    assert await log.trim(datetime.now(UTC) - timedelta(days=1)) == 0


async def test_filters_find_the_same_events_from_memory_and_from_disk(tmp_path, make, gid):
    path = tmp_path / "events.sqlite"
    batch = [make(n, contract=f"CON-{n % 3}", customer=f"c{n % 2}") for n in range(12)]
    filters = {
        "all": (EVERYTHING, 12),
        "contract": (EventFilter(keys={"contract": frozenset({"CON-1"})}), 4),
        "either": (EventFilter(keys={"contract": frozenset({"CON-1", "CON-2"})}), 8),
        "both": (
            EventFilter(keys={"contract": frozenset({"CON-1"}), "customer": frozenset({gid("Customer", "c1")})}),
            2,
        ),
        "type": (EventFilter(types=frozenset({"concord.contract.paused.v1"})), 0),
        "nothing": (EventFilter(keys={"contract": frozenset()}), 0),
    }
    live = {}
    async with embedded_events(path) as events:
        await events.log.append(batch)
        for name, (wanted, _) in filters.items():
            live[name] = (await events.log.read(0, wanted, 100)).events
    async with embedded_events(path) as events:
        for name, (wanted, count) in filters.items():
            assert (await events.log.read(0, wanted, 100)).events == live[name]
            assert await events.log.read_back(None, wanted, 100) == live[name][::-1]
            assert await events.log.count(wanted) == len(live[name]) == count
        two = await events.log.read(0, filters["contract"][0], 2)
        rest = await events.log.read(two.position, filters["contract"][0], 2)
        assert two.events + rest.events == live["contract"]


async def test_publishers_at_once_share_commits_and_lose_nothing(events, make):
    await asyncio.gather(*(events.log.append([make(n), make(n + 1)]) for n in range(200)))
    page = await events.log.read(0, EVERYTHING, 1_000)
    assert len({event.event.id for event in page.events}) == len(page.events) == 201
    assert [event.sequence for event in page.events] == list(range(1, 202))


async def test_a_second_process_is_kept_out(tmp_path):
    async with embedded_events(tmp_path / "events.sqlite"):
        with pytest.raises(StoreUnavailable, match="in use by another process"):
            async with embedded_events(tmp_path / "events.sqlite"):
                pass


async def test_cursors_are_opaque_and_checked(events, make):
    await events.log.append([make(1), make(2)])
    bounds = events.log.bounds()
    cursor = print_cursor(bounds.log_id, 1)
    assert parse_cursor(cursor, bounds) == 1
    for wrong in (
        "",
        "x",
        "ü",
        cursor[:-1],
        cursor + "=",
        print_cursor(bounds.log_id, 3 + bounds.ahead),
        print_cursor("0", 1),
        "A" * 500,
    ):
        with pytest.raises(GatewayError) as refusal:
            parse_cursor(wrong, bounds)
        assert refusal.value.code == "EVENT_CURSOR_INVALID"
    await events.log.trim(datetime.now(UTC) + timedelta(seconds=1))
    with pytest.raises(GatewayError) as refusal:
        parse_cursor(cursor, events.log.bounds())
    assert refusal.value.code == "EVENT_CURSOR_EXPIRED"


@asynccontextmanager
async def slowed(url: str, delay_s: float):
    """A way to a Redis whose answers take their time."""
    host, port = urlsplit(url).hostname, urlsplit(url).port

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pause_s: float) -> None:
        try:
            while data := await reader.read(65_536):
                await asyncio.sleep(pause_s)
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection(host, port)
        await asyncio.gather(carry(reader, there[1], 0), carry(there[0], writer, delay_s))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    finally:
        server.close()


async def test_readers_who_leave_in_the_middle_give_nobody_else_their_page(redis_url, make):
    """A subscriber hangs up while its page is on the way; the next one must not be told the events of that page."""
    async with Redis.from_url(redis_url) as redis:
        await redis.flushall()
    async with shared_events(redis_url) as events:
        await events.log.append([make(number) for number in range(300)])
    async with slowed(redis_url, 0.02) as slow, shared_events(slow) as events:
        for turn in range(40):
            leaving = [asyncio.create_task(events.log.read(0, EVERYTHING, 5)) for _ in range(3)]
            await asyncio.sleep(0.001 * (turn % 20))
            for task in leaving:
                task.cancel()
            await asyncio.gather(*leaving, return_exceptions=True)
            pages = await asyncio.gather(*(events.log.read(after, EVERYTHING, 5) for after in (100, 200)))
            assert [page.events[0].position for page in pages] == [101, 201]


@asynccontextmanager
async def deafened(url: str):
    """A way to a Redis, and what silences the connections that are open then, as a network does that forgets them."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    opened: list[asyncio.Task[None]] = []
    ended = asyncio.Event()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection(host, port)
        ways = [asyncio.create_task(carry(reader, there[1])), asyncio.create_task(carry(there[0], writer))]
        opened.extend(ways)
        await ended.wait()
        for each in (writer, there[1]):
            each.close()

    def silence() -> None:
        for each in opened:
            each.cancel()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0", silence
    finally:
        ended.set()
        silence()
        server.close()


async def test_a_reader_whose_connection_went_silent_hears_again(redis_url, make):
    async with Redis.from_url(redis_url) as redis:
        await redis.flushall()
    async with deafened(redis_url) as (way, silence), shared_events(way) as events, shared_events(redis_url) as others:
        await others.log.append([make(1)])
        async with asyncio.timeout(60):
            await events.log.wait(0, EVERYTHING)
            silence()
            await others.log.append([make(2)])
            position = await events.log.wait(1, EVERYTHING)
        assert [each.event for each in (await events.log.read(position, EVERYTHING, 1)).events] == [make(2)]
