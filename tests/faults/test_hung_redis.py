"""Whoever waits for Redis can leave at any moment, also while it hangs, and a gateway stops in time."""

from __future__ import annotations

import asyncio
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis_process import DURABLE, RedisProcess, redis_process

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    with redis_process(tmp_path_factory.mktemp("redis"), *DURABLE) as server:
        yield server


async def told_by(*arguments: str) -> tuple[bytes, bytes]:
    """Run Python in a process of its own, and return its output and its complaints once it has ended by itself."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(120):
            return await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()


STOPPED = """
import asyncio, random, sys
import uvloop
from redis.asyncio import Redis
from gateway.access.caller import Caller
from gateway.access.rate import CallerRates, Rate
from gateway.cache.shared_entries import SharedEntries
from gateway.events.redis_log import RedisEventLog
from gateway.events.redis_store import RedisStore

async def ask_for_turns(url):
    rates = CallerRates(Rate(per_s=1e9, burst=10**6), Redis.from_url(url, socket_timeout=1))
    try:
        while True:
            await rates.take(Caller(subject="ada", issuer="login"))
    finally:
        await rates.aclose()

async def hear_drops(url):
    entries = SharedEntries(url, longest_s=1)
    try:
        await entries.follow(lambda tags: None, lambda holds: None)
    finally:
        await entries.aclose()

async def follow_events(url):
    store = RedisStore(url)
    try:
        log = RedisEventLog(store)
        await log.start()
        await log.follow()
    finally:
        await store.close()

async def main(url, work):
    for _ in range(200):
        working = asyncio.create_task(work(url))
        await asyncio.sleep(random.random() * 0.012)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)  # or never
    print("all stopped")

uvloop.run(main(sys.argv[1], globals()[sys.argv[2]]))
"""


@pytest.mark.parametrize("work", ["ask_for_turns", "hear_drops", "follow_events"])
async def test_whoever_waits_for_redis_can_be_stopped_at_any_moment(redis_server: RedisProcess, work: str) -> None:
    said, complaints = await told_by("-c", textwrap.dedent(STOPPED), redis_server.url, work)
    # Nor does one who leaves look like a failure of Redis: others would be counted without it for a while.
    assert (said, complaints) == (b"all stopped\n", b"")


CLOSED = """
import asyncio, gc, os, signal, sys
from redis.asyncio import Redis
from gateway.access.caller import Caller
from gateway.access.rate import CallerRates, Rate
from gateway.cache.shared_entries import SharedEntries
from gateway.events.redis_store import RedisStore
from gateway.writes.redis_store import RedisWriteStore
from gateway.writes.store import WriteName

async def events(url):
    store = RedisStore(url)
    return (lambda: store.call(store.redis.ping())), store.close

async def writes(url):
    store = await RedisWriteStore.open(url)
    return (lambda: store.release(WriteName(caller="ada", key="k", field="f"))), store.aclose

async def entities(url):
    shared = SharedEntries(url, longest_s=1)
    return (lambda: shared.look([b"key"], [])), shared.aclose

async def rates(url):
    shared = CallerRates(Rate(per_s=1e9, burst=10**6), Redis.from_url(url))
    return (lambda: shared.take(Caller(subject="ada", issuer="login"))), shared.aclose

async def main(url, opened, redis):
    ask, close = await opened(url)
    await ask()
    os.kill(redis, signal.SIGSTOP)
    try:
        asking = [asyncio.ensure_future(ask()) for _ in range(3)]  # the first on the connection that is open
        await asyncio.sleep(0)
        for each in asking:
            each.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        await close()
    finally:
        os.kill(redis, signal.SIGCONT)
    await asyncio.sleep(0.1)
    gc.collect()
    print("all closed")

with asyncio.Runner() as runner:  # whose sockets say where nobody closed them
    runner.run(main(sys.argv[1], globals()[sys.argv[2]], int(sys.argv[3])))
"""


@pytest.mark.parametrize("opened", ["events", "writes", "entities", "rates"])
async def test_who_closes_leaves_no_connection_of_a_command_whose_caller_has_gone(
    redis_server: RedisProcess, opened: str
) -> None:
    pid = str(redis_server.process.pid)
    said, complaints = await told_by("-W", "always::ResourceWarning", "-c", CLOSED, redis_server.url, opened, pid)
    assert (said, complaints) == (b"all closed\n", b"")
