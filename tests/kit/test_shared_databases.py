"""Replicas that share no disk: one order of all changes, whoever makes them, and whoever dies in the middle."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis_process import DURABLE, redis_process
from served_process import free_port

from subgraphs.kit.leased_replica import LeasedReplica
from subgraphs.kit.shared_database import SharedDatabase, StoreUnavailableError

ROOT = Path(__file__).parents[2]
SCHEMA = """
create table if not exists counter (name text primary key, value integer not null, at real, raw blob);
create table if not exists said (position integer primary key autoincrement, word text not null unique);
"""
PROCESS = """
import asyncio, sys
from pathlib import Path
from subgraphs.kit.leased_replica import LeasedReplica
from subgraphs.kit.shared_database import SharedDatabase

async def main(folder, url, schema):
    replica = await LeasedReplica.join(url, "kit")
    database = await SharedDatabase.open_shared(folder / "kit.sqlite", (schema,), redis_url=url, name="kit")

    async def count():
        print("leads", flush=True)
        while True:
            value = await database.run(lambda c: c.execute(
                "insert into counter (name, value) values ('n', 1) on conflict (name) do update set value = value + 1"
                " returning value").fetchone()[0])
            print(value, flush=True)

    async with replica.leading(count):
        print("joined", replica.number, flush=True)
        await asyncio.Event().wait()

asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
"""


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def url(tmp_path: Path, port: int) -> Iterator[str]:
    with redis_process(tmp_path, *DURABLE, port=port):
        yield f"redis://127.0.0.1:{port}/0"


async def opened(folder: Path, url: str) -> SharedDatabase:
    return await SharedDatabase.open_shared(folder / "kit.sqlite", (SCHEMA,), redis_url=url, name="kit")


def increase(connection: sqlite3.Connection) -> int:
    row = connection.execute("select value from counter where name = 'n'").fetchone()
    value = (row[0] if row else 0) + 1
    connection.execute(
        "insert or replace into counter values ('n', ?, ?, ?)", (value, 1764363600.1234567 + value, b"\x00\xff")
    )
    return value


def rows(connection: sqlite3.Connection) -> list[Any]:
    counters = connection.execute("select * from counter order by name").fetchall()
    return [counters, connection.execute("select * from said order by position").fetchall()]


async def test_changes_of_replicas_at_once_have_one_order_and_every_replica_has_them(tmp_path: Path, url: str) -> None:
    first, second = await opened(tmp_path / "1", url), await opened(tmp_path / "2", url)
    values = await asyncio.gather(*(each.run(increase) for _ in range(100) for each in (first, second)))
    assert sorted(values) == list(range(1, 201))

    def say(connection: sqlite3.Connection, words: list[str]) -> None:
        connection.executemany("insert or ignore into said (word) values (:word)", ({"word": each} for each in words))

    await first.run(lambda c: say(c, ["it's", "ü"]))
    await second.run(lambda c: say(c, ["ü", "three"]))
    with pytest.raises(ZeroDivisionError):  # what fails changes nothing anywhere
        await first.run(lambda c: say(c, ["never"]) or 1 // 0)
    both = [await each.run(rows) for each in (first, second)]
    assert both[0] == both[1]
    assert both[0][0] == [("n", 200, 1764363800.1234567, b"\x00\xff")]
    assert [word for _, word in both[0][1]] == ["it's", "ü", "three"]
    # A restart finds its file, and goes on.
    await second.close()
    assert await first.run(increase) == 201
    second = await opened(tmp_path / "2", url)
    assert await second.run(increase) == 202
    for each in (first, second):
        await each.close()


async def test_a_replica_that_is_new_or_was_away_takes_over_a_copy(tmp_path: Path, url: str) -> None:
    first, away = await opened(tmp_path / "1", url), await opened(tmp_path / "2", url)
    assert await away.run(increase) == 1
    await away.close()
    for _ in range(1_100):
        await first.run(increase)
    with Redis.from_url(url) as redis:
        epoch = redis.hget("concord:store:kit", "epoch").decode()
        assert redis.xlen(f"concord:store:kit:{epoch}:log") < 600  # the changes before are kept as a copy alone
    new, back = await opened(tmp_path / "3", url), await opened(tmp_path / "2", url)
    assert [await each.run(increase) for each in (new, back, first)] == [1_102, 1_103, 1_104]
    assert await new.run(rows) == await back.run(rows) == await first.run(rows)
    for each in (first, new, back):
        await each.close()


async def test_a_redis_that_is_gone_refuses_and_one_that_is_empty_is_given_what_there_is(
    tmp_path: Path, port: int
) -> None:
    url = f"redis://127.0.0.1:{port}/0"
    with redis_process(tmp_path, *DURABLE, port=port):
        first, second = await opened(tmp_path / "1", url), await opened(tmp_path / "2", url)
        assert [await first.run(increase), await second.run(increase), await first.run(increase)] == [1, 2, 3]
    with pytest.raises(StoreUnavailableError) as refused:
        await first.run(increase)
    assert (refused.value.code, refused.value.retryable) == ("STORE_UNAVAILABLE", True)
    with redis_process(tmp_path, *DURABLE, port=port):  # it kept what it acknowledged
        assert await second.run(increase) == 4
        with Redis.from_url(url) as redis:
            redis.flushall()
        assert [await second.run(increase), await first.run(increase)] == [5, 6]
        assert await first.run(rows) == await second.run(rows)
    for each in (first, second):
        await each.close()


async def test_a_killed_leader_s_changes_are_there_and_another_leads(tmp_path: Path, url: str) -> None:
    command = [sys.executable, "-c", textwrap.dedent(PROCESS)]
    processes = []
    for name in ("1", "2"):
        process = subprocess.Popen(  # noqa: ASYNC220 - one moment
            [*command, str(tmp_path / name), url, SCHEMA], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        processes.append(process)
        assert process.stdout is not None
        said = process.stdout.readline().split()
        assert said == ["joined", str(len(processes) - 1)]
    first, second = processes
    assert first.stdout is not None
    assert second.stdout is not None
    try:
        assert first.stdout.readline() == "leads\n"
        acknowledged = [int(first.stdout.readline()) for _ in range(50)]
        first.kill()
        acknowledged += map(int, first.stdout.read().split())
        assert second.stdout.readline() == "leads\n"
        # At most the change whose acknowledgement was lost is there beside those that were acknowledged.
        assert int(second.stdout.readline()) in {acknowledged[-1] + 1, acknowledged[-1] + 2}
        replica = await LeasedReplica.join(url, "kit")
        assert (replica.number, await replica.is_alive(1), await replica.is_alive(7)) == (0, True, False)
        await replica.leave()
    finally:
        for each in processes:
            each.kill()
            each.wait()
            assert each.stdout is not None
            each.stdout.close()


STOPPED = """
import asyncio, random, sys
import uvloop
from redis.asyncio import Redis
from redis.exceptions import RedisError
from subgraphs.kit.redis_answer import answered

async def ask(url):
    async with Redis.from_url(url, socket_timeout=5) as redis:
        script = redis.register_script("return redis.call('GET', KEYS[1])")
        while True:
            try:
                await answered(script(["k"], []))
            except (RedisError, OSError):
                await asyncio.sleep(0)

async def main(url):
    for _ in range(200):
        asking = asyncio.create_task(ask(url))
        await asyncio.sleep(0.01 + random.random() * 0.004)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)  # or never
    print("all stopped")

uvloop.run(main(sys.argv[1]))
"""


async def test_whoever_asks_redis_can_be_stopped_at_any_moment(url: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(STOPPED), url, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(120):
            told, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert told == b"all stopped\n"


async def test_a_replica_that_can_t_reach_redis_stops_leading_before_another_may_begin(
    tmp_path: Path, port: int
) -> None:
    url = f"redis://127.0.0.1:{port}/0"
    stopped = asyncio.Event()
    leads = asyncio.Event()

    async def lead() -> None:
        leads.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    with redis_process(tmp_path, *DURABLE, port=port) as server:
        replica = await LeasedReplica.join(url, "kit")
        async with replica.leading(lead), asyncio.timeout(60):
            await leads.wait()
            server.kill()
            await stopped.wait()
            while replica.is_leader:  # noqa: ASYNC110 - it ends a moment later than its loops
                await asyncio.sleep(0.01)
            leads.clear()
            with redis_process(tmp_path, *DURABLE, port=port):
                await leads.wait()
        await replica.leave()
