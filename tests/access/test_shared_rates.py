"""Gateways that share a Redis count a caller's requests together."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis
from redis_process import redis_process

from gateway.access.caller import Caller
from gateway.access.rate import CallerRates, Rate
from gateway.errors import GatewayError


@pytest.fixture
def redis_server(tmp_path):
    with redis_process(tmp_path) as server:
        yield server


async def taken(rates: CallerRates, caller: Caller, count: int) -> int:
    """Return how many of so many requests were let through."""
    through = 0
    for _ in range(count):
        try:
            await rates.take(caller)
        except GatewayError as refused:
            assert refused.code == "REQUEST_RATE_LIMITED"
            assert refused.retry_after_ms is not None
            assert refused.retry_after_ms > 0
        else:
            through += 1
    return through


async def test_two_gateways_count_together_and_each_alone_once_redis_is_gone(redis_server):
    url = redis_server.url
    ada, bob = Caller(subject="ada", issuer="login"), Caller(subject="bob", issuer="login")
    gateways = [CallerRates(Rate(per_s=0.001, burst=6), Redis.from_url(url)) for _ in range(2)]
    assert await taken(gateways[0], ada, 4) + await taken(gateways[1], ada, 4) == 6
    assert await taken(gateways[1], bob, 1) == 1
    redis_server.kill()
    # Nobody is let in without end, and nobody shut out, for want of it.
    assert [await taken(each, ada, 8) for each in gateways] == [6, 6]
    for each in gateways:
        await each.aclose()
