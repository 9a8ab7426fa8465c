"""A vendor's budget of requests: shared by replicas, people before background work, a code instead of a ban."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
from kit_server import ScriptedVendor
from redis_process import redis_process
from starlette.responses import Response

from subgraphs.kit.api_budget import (
    ApiBudget,
    Bucket,
    Level,
    ProcessBucket,
    RedisBucket,
    SqliteBucket,
    open_budget,
    taken,
)
from subgraphs.kit.caller import Caller
from subgraphs.kit.current_request import CurrentRequest, serving
from subgraphs.kit.database import Database
from subgraphs.kit.settings import SubgraphSettings
from subgraphs.kit.system_error import VendorRateLimitedError
from subgraphs.kit.vendor_client import VendorClient, monotonic_deadline

SLOW = 0.001
"""Requests a second: within a test nothing is refilled."""


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_process(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


async def answering(client: redis.asyncio.Redis) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                await client.ping()
            except redis.exceptions.ConnectionError:
                await asyncio.sleep(0.05)
            else:
                return


@pytest.fixture(params=["redis", "sqlite"])
async def replicas(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[list[Bucket]]:
    """The same bucket as three replicas hold it, each over a connection of its own."""
    if request.param == "redis":
        url = request.getfixturevalue("redis_url")
        clients = [redis.asyncio.Redis.from_url(url) for _ in range(3)]
        await answering(clients[0])
        await clients[0].flushall()
        yield [RedisBucket(client, "acme") for client in clients]
        for client in clients:
            await client.aclose()
    else:
        databases = [await Database.open(tmp_path / "budget.sqlite", (SqliteBucket.SCHEMA,)) for _ in range(3)]
        yield [SqliteBucket(database, "acme") for database in databases]
        for database in databases:
            await database.close()


async def spent(budget: ApiBudget) -> bool:
    try:
        await budget.spend("erp")
    except VendorRateLimitedError:
        return False
    return True


async def test_replicas_share_one_budget_and_people_go_before_background_work(replicas: list[Bucket]) -> None:
    budgets = [ApiBudget(rate=SLOW, burst=30, bucket=bucket) for bucket in replicas]
    background = await asyncio.gather(*(spent(budgets[place % 3]) for place in range(60)))
    assert sum(background) == 21, "the last nine are kept for people"
    with serving(CurrentRequest(caller=Caller(subject="concord", is_background=True))):
        assert not await spent(budgets[0]), "the gateway's own work is no people's request either"
    with serving(CurrentRequest()):
        people = await asyncio.gather(*(spent(budgets[place % 3]) for place in range(60)))
        assert sum(people) == 9
        with pytest.raises(VendorRateLimitedError) as refused:
            await budgets[0].spend("erp")
    details = refused.value.extensions
    assert (details["code"], details["system"], details["retryable"]) == ("SYSTEM_RATE_LIMITED", "erp", True)
    assert 900_000 < details["retryAfterMs"] <= 1_000_000
    assert sum(budget.refused for budget in budgets) == 39 + 1 + 51 + 1


async def test_when_the_vendor_says_stop_every_replica_stops(
    replicas: list[Bucket], vendor: ScriptedVendor, vendor_url: str
) -> None:
    first, second = (ApiBudget(rate=100, burst=100, bucket=bucket) for bucket in replicas[:2])
    vendor.script.append(Response(b"{}", 429, headers={"retry-after": "120"}))
    async with (
        VendorClient(vendor="acme", system="erp", base_url=vendor_url, budget=first) as here,
        VendorClient(vendor="acme", system="erp", base_url=vendor_url, budget=second) as there,
    ):
        for client in (here, there):
            with serving(CurrentRequest(deadline=monotonic_deadline(5_000))) as request:
                with pytest.raises(VendorRateLimitedError) as refused:
                    await client.write("POST", "/x", json={})
                assert refused.value.extensions["outcome"] == "NOT_APPLIED"
                assert 100_000 < refused.value.extensions["retryAfterMs"] <= 120_000
        assert dict(request.vendor_requests) == {}, "what was not sent is not counted"
        assert (here.requests_total, there.requests_total) == ({"POST 429": 1}, {"POST not sent": 1})
    assert len(vendor.asked) == 1


@pytest.mark.parametrize("is_shared", [True, False])
async def test_a_later_refusal_does_not_shorten_the_silence_that_an_earlier_one_asked_for(
    replicas: list[Bucket], vendor: ScriptedVendor, vendor_url: str, is_shared: bool
) -> None:
    """Two requests were on their way when the vendor began to refuse, and it asks each to wait differently."""

    async def long(*asgi: Any) -> None:
        while len(vendor.asked) < 2:  # noqa: ASYNC110 - the other request arrives in its own time
            await asyncio.sleep(0.01)
        await Response(b"{}", 429, headers={"retry-after": "120"})(*asgi)

    async def short(*asgi: Any) -> None:
        await asyncio.sleep(0.5)
        await Response(b"{}", 429, headers={"retry-after": "1"})(*asgi)

    vendor.script.extend([long, short])
    budget = ApiBudget(rate=100, burst=100, bucket=replicas[0] if is_shared else ProcessBucket())
    async with VendorClient(vendor="acme", system="erp", base_url=vendor_url, budget=budget, retries=0) as client:

        async def refused() -> int:
            with serving(CurrentRequest()), pytest.raises(VendorRateLimitedError) as error:
                await client.read("GET", "/x")
            return int(error.value.extensions["retryAfterMs"])

        assert sorted(await asyncio.gather(refused(), refused())) == [1000, 120_000]
        assert 100_000 < await refused() <= 120_000
    assert len(vendor.asked) == 2


async def test_a_request_waits_for_the_budget_while_its_deadline_allows(
    vendor: ScriptedVendor, vendor_url: str
) -> None:
    budget = ApiBudget(rate=100, burst=10, bucket=ProcessBucket())
    await budget.heed(2000)
    async with VendorClient(vendor="acme", system="erp", base_url=vendor_url, budget=budget) as client:
        with serving(CurrentRequest(deadline=monotonic_deadline(30_000))):
            await client.read("GET", "/x")
    assert len(vendor.asked) == 1
    assert budget.refused >= 1


async def test_without_redis_each_process_goes_on_with_a_budget_of_its_own() -> None:
    lost = redis.asyncio.Redis(port=9, socket_connect_timeout=1)
    budget = ApiBudget(rate=SLOW, burst=3, bucket=RedisBucket(lost, "acme"))
    with serving(CurrentRequest()):
        assert [await spent(budget) for _ in range(5)] == [True, True, True, False, False]
    await lost.aclose()


async def test_the_settings_say_whether_there_is_a_budget(tmp_path: Path) -> None:
    async with open_budget(SubgraphSettings(state_dir=tmp_path), "acme") as none:
        assert none is None
    settings = SubgraphSettings(state_dir=tmp_path, vendor_requests_per_s=SLOW, vendor_burst=2)
    with serving(CurrentRequest()):
        async with open_budget(settings, "acme") as budget, open_budget(settings, "acme") as other:
            assert budget is not None
            assert other is not None
            assert [await spent(budget), await spent(other), await spent(other)] == [True, True, False]


def test_a_bucket_fills_up_to_its_size_and_no_further() -> None:
    level, wait_s = taken(Level(0, at=100), 110, rate=2, burst=10, reserve=0)
    assert (level.tokens, wait_s) == (9, 0)
    level, wait_s = taken(Level(0, at=100), 100, rate=2, burst=10, reserve=3)
    assert (level.tokens, wait_s) == (0, 2)
    _, wait_s = taken(Level(10, at=100, closed_until=130), 110, rate=2, burst=10, reserve=0)
    assert wait_s == 20
    # A clock that was set back gives nothing and takes nothing.
    level, _ = taken(Level(5, at=100), 50, rate=2, burst=10, reserve=0)
    assert level.tokens == 4
