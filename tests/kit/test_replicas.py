"""Several processes that serve one subgraph over one folder: one leads at a time, and what a dead one left is found."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from kit_server import ScriptedVendor
from starlette.responses import JSONResponse

from subgraphs.kit.crosswalk import Crosswalk, CrosswalkRecord
from subgraphs.kit.database import Database
from subgraphs.kit.idempotent_write import IdempotentWrites
from subgraphs.kit.replica import Replica
from subgraphs.kit.system_error import IdempotencyInProgressError, VendorUnavailableError

ROOT = Path(__file__).parents[2]
PROCESS = """
import asyncio, sys
from pathlib import Path
from subgraphs.kit.database import Database
from subgraphs.kit.idempotent_write import IdempotentWrites
from subgraphs.kit.replica import Replica

async def main(folder):
    replica = Replica.join(folder)
    database = await Database.open(folder / "kit.sqlite", (IdempotentWrites.SCHEMA,))
    writes = IdempotentWrites(database, replica)

    async def write():
        print("writing", flush=True)
        await asyncio.Event().wait()

    async def lead():
        print("leading", flush=True)
        await writes.run("k", {"a": 1}, write)

    async with replica.leading(lead):
        print("joined", replica.number, flush=True)
        await asyncio.Event().wait()

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another replica, a process that leads and is in the middle of a write."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROCESS), str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = [process.stdout.readline().split()[0] for _ in range(3)]
    assert sorted(said) == ["joined", "leading", "writing"]
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


async def nothing() -> str:
    return "nothing"


async def test_another_leads_and_takes_up_its_write_only_once_a_replica_is_dead(tmp_path: Path, other: Any) -> None:
    replica = Replica.join(tmp_path)
    assert replica.number == 1
    database = await Database.open(tmp_path / "kit.sqlite", (IdempotentWrites.SCHEMA,))
    writes = IdempotentWrites(database, replica)
    leads = asyncio.Event()
    looked_up: list[str] = []

    async def lead() -> None:
        leads.set()
        await asyncio.Event().wait()

    async def look_up() -> str:
        looked_up.append("looked")
        return "found"

    async with replica.leading(lead):
        # It hangs, but it lives: what it does may still come to its end, and nobody else begins.
        other.send_signal(signal.SIGSTOP)
        with pytest.raises(IdempotencyInProgressError):
            await writes.run("k", {"a": 1}, nothing, look_up=look_up)
        await asyncio.sleep(0.6)
        assert not leads.is_set()
        other.kill()
        other.wait()
        async with asyncio.timeout(30):
            await leads.wait()
        assert await writes.run("k", {"a": 1}, nothing, look_up=look_up) == "found"
    assert looked_up == ["looked"]
    assert not replica.is_leader
    # The number of the dead is given again.
    third = Replica.join(tmp_path)
    assert third.number == 0
    await third.leave()
    await replica.leave()
    await database.close()


async def test_a_replica_that_stops_hands_over_after_its_loops_have_ended(tmp_path: Path) -> None:
    told: list[str] = []

    async def lead(name: str) -> None:
        told.append(f"{name} begins")
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.3)
            told.append(f"{name} ends")

    first, second = Replica.join(tmp_path), Replica.join(tmp_path)
    async with first.leading(lambda: lead("first")):
        async with asyncio.timeout(30):
            while not first.is_leader or not told:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        waiting = second.leading(lambda: lead("second"))
        await waiting.__aenter__()
    async with asyncio.timeout(30):
        while len(told) < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert told == ["first begins", "first ends", "second begins"]
    await waiting.__aexit__(None, None, None)
    await first.leave()
    await second.leave()


async def test_the_crosswalk_is_asked_at_another_address_and_for_what_other_replicas_pushed(
    vendor: ScriptedVendor, vendor_url: str
) -> None:
    others: list[str] = []
    for answer in ({"externalIds": ["3"]}, {"customers": {"1": "acme"}}, {"externalIds": ["2", "1"]}):
        vendor.script.append(JSONResponse(answer))

    async def pushed() -> list[str]:
        return others

    addresses = f"http://127.0.0.1:9, {vendor_url}"
    async with Crosswalk(url=addresses, signing_secret="s", system="crm", pushed=pushed) as crosswalk:
        with pytest.raises(VendorUnavailableError):
            await crosswalk.records_of("globex")
        others += ["1", "2", "3"]
        assert await crosswalk.records_of("globex") == ("3",)
        assert await crosswalk.push([CrosswalkRecord(external_id="1")]) == {"1": "acme"}
        assert await crosswalk.records_of("acme") == ("1", "2")
    assert [asked.path for asked in vendor.asked] == ["/members", "/records", "/members"]
    assert orjson.loads(vendor.asked[2].body) == {"system": "crm", "customer": "acme"}
    async with Crosswalk(url="http://127.0.0.1:9,http://127.0.0.1:10", signing_secret="s", system="crm") as nowhere:
        with pytest.raises(VendorUnavailableError):
            await nowhere.push([CrosswalkRecord(external_id="1")])
