"""kill -9 while events stream in: what was acknowledged is there, once, after the restart."""

from __future__ import annotations

import asyncio
import resource
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import orjson

from gateway.events.embedded import embedded_events
from gateway.events.log import EventFilter

PROGRAM = Path(__file__).with_name("ingest_process.py")
ROOT = Path(__file__).parents[2]
KILLS = 3


@asynccontextmanager
async def running(path, schemas, secret, *, max_file_bytes=resource.RLIM_INFINITY):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        PROGRAM,
        path,
        schemas,
        secret,
        stdout=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (max_file_bytes, max_file_bytes)),
    )
    try:
        assert process.stdout is not None
        ready = (await asyncio.wait_for(process.stdout.readline(), 60)).decode().split()
        yield process, f"{ready[1]}/events"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_killed_process_loses_nothing_it_acknowledged(tmp_path, schemas, activated, sign):
    path = tmp_path / "events.sqlite"
    acknowledged: dict[str, int] = {}
    sent = 0

    async def publish(client, url, stop):
        nonlocal sent
        while not stop.is_set():
            batch = [activated(sent + n, contract=f"CON-{(sent + n) % 5}") for n in range(10)]
            sent += 10
            body = orjson.dumps(batch)
            headers = {"content-type": "application/cloudevents-batch+json", "x-concord-signature": sign(body)}
            try:
                response = await client.post(url, content=body, headers=headers)
            except httpx2.TransportError:
                return
            assert response.json()["accepted"] == 10
            acknowledged.update({event["id"]: 1 for event in batch})

    for round_ in range(KILLS):
        async with running(path, schemas, "between ourselves") as (process, url):
            stop = asyncio.Event()
            async with httpx2.AsyncClient(trust_env=False) as client, asyncio.TaskGroup() as group:
                for _ in range(4):
                    group.create_task(publish(client, url, stop))
                await asyncio.sleep(0.4 + round_ * 0.13)
                process.kill()
                await process.wait()
                stop.set()

    async with embedded_events(path) as events:
        page = await events.log.read(0, EventFilter(), 1_000_000)
    kept = [event.event.id for event in page.events]
    assert len(acknowledged) > KILLS * 10
    assert set(acknowledged) <= set(kept)
    assert len(kept) == len(set(kept))
    for contract in {event.event.subject for event in page.events}:
        sequences = [event.sequence for event in page.events if event.event.subject == contract]
        assert sequences == list(range(1, len(sequences) + 1))


async def test_a_full_disk_is_refused_loudly_and_heals(tmp_path, schemas, activated, sign):
    """The file may not grow beyond 300 kB at first, as on a full disk; then there is room again."""
    path = tmp_path / "events.sqlite"
    acknowledged = []

    async def publish(client, url, start):
        batch = [activated(start + n, contract=f"CON-{n}") for n in range(20)]
        body = orjson.dumps(batch)
        headers = {"content-type": "application/cloudevents-batch+json", "x-concord-signature": sign(body)}
        response = await client.post(url, content=body, headers=headers)
        if response.status_code == 200:
            assert response.json() == {"accepted": 20, "duplicates": 0, "rejected": []}
            acknowledged.extend(event["id"] for event in batch)
        return response

    async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        async with running(path, schemas, "between ourselves", max_file_bytes=300_000) as (_, url):
            number = 0
            while (response := await publish(client, url, number)).status_code == 200:
                number += 20
            (error,) = response.json()["errors"]
            assert (response.status_code, response.headers["retry-after"]) == (503, "1")
            assert (error["extensions"]["code"], error["extensions"]["retryable"]) == ("STORE_UNAVAILABLE", True)
            assert (await publish(client, url, number)).status_code == 503
        async with running(path, schemas, "between ourselves") as (_, url):
            assert (await publish(client, url, number)).status_code == 200
    async with embedded_events(path) as events:
        page = await events.log.read(0, EventFilter(), 1_000_000)
    assert [event.event.id for event in page.events] == acknowledged
