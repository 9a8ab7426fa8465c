"""Several workers behind one port: as right as one, or refused with a sentence."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import httpx2
import pytest
from metric_samples import samples_of
from postgres import started_postgres
from redis_process import redis_process
from scripted_subgraph import ScriptedSubgraph
from served_graph import ROOT, SECRET

PEOPLE = 'type Query { user: User } type User @key(fields: "id") { id: ID! name: String }'
SCORES = 'type Mutation { count: Int } type User @key(fields: "id") { id: ID! score: Int }'


@pytest.fixture
def postgres_url():
    with started_postgres() as url:
        yield url


@pytest.fixture
def redis_url(tmp_path):
    with redis_process(tmp_path) as server:
        yield server.url


def started(command: list[str], environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE)


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def asked(url: str, query: str, **headers: str) -> dict[str, Any]:
    # A connection for each request, so that every worker gets some.
    async with httpx2.AsyncClient(timeout=30, trust_env=False) as client:
        return (await client.post(f"{url}/graphql", json={"query": query}, headers=headers)).json()


async def counted(url: str, name: str) -> dict[str, float]:
    """What each worker has counted of queries."""
    async with httpx2.AsyncClient(timeout=30, trust_env=False) as client:
        reply = await client.get(f"{url}/metrics", headers={"authorization": f"Bearer {SECRET}"})
    found: Counter[str] = Counter()
    for (of, *labels), value in samples_of(reply.text).items():
        if of == name and labels[0] == "query":  # kind, outcome, worker
            found[labels[-1]] += value
    return found


def children_of(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def test_several_workers_answer_behind_one_port_and_a_dead_one_is_replaced(graph, redis_url, postgres_url):
    graph.compose({"people": PEOPLE, "scores": SCORES})
    people: ScriptedSubgraph = graph.subgraphs["people"]
    people.say = lambda request: {"data": {"user": {"__typename": "User", "id": "1", "name": "Ada"}}}
    graph.subgraphs["scores"].say = lambda request: {"data": {"count": 1}}
    with graph.serve():
        pass  # writes the configuration
    command = [sys.executable, "-m", "gateway.cli.main", "serve", "--config", str(graph.folder / "concord.toml")]
    command += ["--workers", "2"]
    refused = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert refused.returncode == 2
    assert "`--workers 2` needs `events.redis_url`: the embedded event log belongs to one process." in " ".join(
        refused.stderr.split()
    )
    assert "`--workers 2` needs `writes.postgres_url`" in " ".join(refused.stderr.split())
    environment = {
        **os.environ,
        "CONCORD_METRICS__KEY": SECRET,
        "CONCORD_SECRETS__INTERNAL": SECRET,
        "CONCORD_STATE__DIRECTORY": str(graph.folder / "workers"),
        "CONCORD_EVENTS__REDIS_URL": redis_url,
        "CONCORD_ENTITIES__REDIS_URL": redis_url,
        "CONCORD_WRITES__POSTGRES_URL": postgres_url,
    }
    process = started(command, environment)
    try:
        assert process.stdout is not None
        line = await asyncio.to_thread(process.stdout.readline)
        assert line.startswith(b"ready http://127.0.0.1:")
        url = line.split()[1].decode()
        workers = children_of(process.pid)
        assert len(workers) == 2
        expected = {"data": {"user": {"name": "Ada"}}}
        assert await asyncio.gather(*(asked(url, "{ user { name } }") for _ in range(40))) == [expected] * 40
        # Whichever worker is asked tells what both have counted.
        for _ in range(6):
            told = await counted(url, "concord_request_seconds_count")
            assert told.keys() == {"1", "2"}
            assert sum(told.values()) == 40
        # One key, whichever worker it reaches: one write.
        key = {"idempotency-key": "once"}
        answers = await asyncio.gather(*(asked(url, "mutation { count }", **key) for _ in range(12)))
        assert answers == [{"data": {"count": 1}}] * 12
        assert len(graph.subgraphs["scores"].requests) == 1
        os.kill(workers[0], signal.SIGKILL)
        async with asyncio.timeout(30):
            while True:
                now = children_of(process.pid)
                if len(now) == 2 and workers[0] not in now:
                    break
                await asyncio.sleep(0.05)
        assert await asyncio.gather(*(asked(url, "{ user { name } }") for _ in range(10))) == [expected] * 10
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 20) == 0
        assert not any(map(is_running, now))
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()
