"""Guessing ends soon, and holds up nobody whose credentials are good."""

from __future__ import annotations

import hashlib

import httpx2
import pytest
from guarded import Scripted, codes, composed, gate_to, told
from websockets.exceptions import ConnectionClosed

from gateway.access.attempts import Attempts
from gateway.access.settings import AccessSettings, KeySettings
from gateway.engine import Engine
from gateway.errors import GatewayError
from gateway.table import TableRefused, read_table
from gateway.telemetry.metrics import Metrics
from gateway.transport.routes import routes
from gateway.transport.server import server
from gateway.transport.watchers import for_watchers

KEY = "a-good-key-of-a-machine"
SDL = "type Query { one: String }"


def settings(**more) -> AccessSettings:
    keys = {"machine": KeySettings(sha256=hashlib.sha256(KEY.encode()).hexdigest(), scopes=("operations:read",))}
    return AccessSettings(keys=keys, **more)


@pytest.fixture
async def gate():
    engine = Engine(composed(shop=SDL), {"shop": Scripted(SDL, {"one": "yes"})})
    try:
        async with gate_to(engine, settings(failed_logins_per_min=3)) as gate:
            yield gate
    finally:
        engine.close()


async def ask(gate, **headers) -> tuple[int, str]:
    response = await gate.client.post(gate.graphql, json={"query": "{ one }"}, headers=headers)
    if response.status_code == 429:
        assert int(response.headers["retry-after"]) >= 1
    return response.status_code, (codes(response.json()) or [("", "")])[0][0]


@pytest.mark.parametrize("guess", [{"authorization": "Bearer nonsense"}, {"x-api-key": "another-key"}])
async def test_a_source_that_guesses_is_soon_refused_unheard(gate, guess):
    assert await ask(gate, **{"x-api-key": KEY}) == (200, "")
    for _ in range(3):
        assert await ask(gate, **guess) == (401, "UNAUTHENTICATED")
    for _ in range(3):
        assert await ask(gate, **guess) == (429, "REQUEST_RATE_LIMITED")
    # The right one can't be found by going on either: it isn't looked at.
    assert await ask(gate, **{"x-api-key": KEY}) == (429, "REQUEST_RATE_LIMITED")
    assert await ask(gate) == (401, "UNAUTHENTICATED")  # who brings nothing guesses nothing
    async with gate.socket({"x-api-key": "one-more"}) as connection:
        with pytest.raises(ConnectionClosed, match="REQUEST_RATE_LIMITED"):
            await told(connection)


async def test_known_documents_are_no_way_around(gate):
    """The short way for common requests counts nothing itself, and lets nobody guess."""
    for _ in range(4):
        assert await ask(gate, **{"x-api-key": KEY}) == (200, "")
    statuses = [(await ask(gate, **{"x-api-key": f"guess-{number}"}))[0] for number in range(6)]
    assert statuses == [401] * 3 + [429] * 3


def test_failures_are_forgotten_as_fast_as_they_are_allowed():
    now = 0.0
    attempts = Attempts(6, clock=lambda: now)
    for _ in range(6):
        attempts.check(["a"])
        attempts.note(["a"])
    with pytest.raises(GatewayError):
        attempts.check(["a"])
    attempts.check(["b"])
    now = 10.0
    attempts.check(["a"])
    attempts.note(["a"])
    with pytest.raises(GatewayError) as refused:
        attempts.check(["b", "a"])
    assert refused.value.retry_after_ms == 10_000
    off = Attempts(None)
    for _ in range(1000):
        off.check(["a"])
        off.note(["a"])
    with pytest.raises(TableRefused, match="`failed_logins_per_min`: Expected `int` >= 1"):
        read_table(AccessSettings, {"failed_logins_per_min": 0})


async def test_metrics_are_for_those_who_watch(tmp_path):
    from prometheus_client import CollectorRegistry

    from gateway.access.authenticate import Credentials
    from gateway.access.revocations import Revocations
    from gateway.transport.drain import Drain
    from gateway.transport.settings import TransportSettings

    credentials = Credentials(settings(), Revocations(None))
    app = for_watchers(Metrics(CollectorRegistry()), "the-key-of-monitoring", credentials)
    process = server(routes({"/metrics": app}), drain=Drain(), settings=TransportSettings(), port=0)
    import asyncio

    serving = asyncio.create_task(process.serve())
    await process.ready.wait()
    url = "http://{}:{}/metrics".format(*process.addresses[0])
    async with httpx2.AsyncClient(trust_env=False) as http:

        async def status(**headers) -> int:
            return (await http.get(url, headers=headers)).status_code

        assert await status() == 401
        assert await status(authorization="Bearer the-key-of-monitorinG") == 401
        assert await status(authorization="Bearer the-key-of-monitoring") == 200
        assert await status(**{"x-api-key": KEY}) == 200
        assert await status(**{"x-api-key": "another"}) == 401
    process.should_exit = True
    await serving
