"""Events for tests: valid envelopes, a log on disk, and the ingest route behind a real server."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from redis.asyncio import Redis
from redis_process import DURABLE, redis_process
from running_gateway import Door, running_door
from served_app import served
from starlette.applications import Starlette

from gateway.events.contracts import EventContracts
from gateway.events.embedded import Events, embedded_events
from gateway.events.ingest import EventIngest, events_route
from gateway.events.shared import shared_events

SCHEMAS = Path(__file__).parents[2] / "schema" / "events"
SECRET = "between ourselves"


def gid(typename: str, local: str) -> str:
    return base64.urlsafe_b64encode(f"{typename}:{local}".encode()).decode().rstrip("=")


def activated(number: int, *, contract: str = "CON-2025-0001", customer: str = "c1", **extra: Any) -> dict[str, Any]:
    """A valid contract.activated event."""
    return {
        "specversion": "1.0",
        "id": f"billing:evt_{number}:contract.activated",
        "source": "concord/billing",
        "type": "concord.contract.activated.v1",
        "subject": gid("Contract", contract),
        "time": "2026-03-01T09:30:00Z",
        "datacontenttype": "application/json",
        "data": {
            "keys": {"customer": gid("Customer", customer), "contract": contract},
            "version": str(number),
            "changes": [{"field": "status", "from": "TRIALING", "to": "ACTIVE"}],
        },
        **extra,
    }


def sign(body: bytes, secret: str = SECRET, at: float | None = None) -> str:
    moment = int(time.time() if at is None else at)
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


@dataclass(frozen=True)
class Ingest:
    """A server that takes events, and the log behind it."""

    url: str
    events: Events
    client: httpx2.AsyncClient

    async def post(self, *batch: Any) -> httpx2.Response:
        return await self.post_body(orjson.dumps(list(batch)))

    async def post_body(self, body: bytes, **headers: str) -> httpx2.Response:
        defaults = {"content-type": "application/cloudevents-batch+json", "x-concord-signature": sign(body)}
        return await self.client.post(self.url, content=body, headers=defaults | headers)


@pytest.fixture(scope="session", name="gid")
def gid_fixture() -> Any:
    return gid


@pytest.fixture(scope="session", name="activated")
def activated_fixture() -> Any:
    return activated


@pytest.fixture(scope="session", name="sign")
def sign_fixture() -> Any:
    return sign


@pytest.fixture(scope="session", name="serve")
def serve_fixture() -> Any:
    return served


@pytest.fixture(scope="session")
def schemas() -> Path:
    return SCHEMAS


@pytest.fixture(scope="session")
def contracts() -> EventContracts:
    return EventContracts.load(SCHEMAS)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis that keeps what it acknowledges, started for the tests alone."""
    with redis_process(tmp_path_factory.mktemp("redis"), *DURABLE) as server:
        yield server.url


@pytest.fixture(params=["embedded", "shared"])
async def events(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Events]:
    """Both engines of the event log: a SQLite file of one process, a Redis of several."""
    if request.param == "embedded":
        opening = embedded_events(tmp_path / "events.sqlite")
    else:
        url = request.getfixturevalue("redis_url")
        async with Redis.from_url(url) as redis:
            await redis.flushall()
        opening = shared_events(url)
    async with opening as opened:
        yield opened


@pytest.fixture
async def ingest(events: Events, contracts: EventContracts) -> AsyncIterator[Ingest]:
    app = Starlette(routes=[events_route(EventIngest(events.log, events.dead_letters, contracts, secret=SECRET))])
    async with served(app) as url, httpx2.AsyncClient(trust_env=False) as client:
        yield Ingest(f"{url}/events", events, client)


@pytest.fixture
async def door(tmp_path: Path, schemas: Path) -> AsyncIterator[Door]:
    async with running_door(tmp_path, schemas, served) as running:
        yield running


@pytest.fixture
def post(door, sign):
    async def post(url: str, message: Any, media_type: str) -> Any:
        body = orjson.dumps(message)
        headers = {"content-type": media_type, "x-concord-signature": sign(body)}
        response = await door.client.post(url, content=body, headers=headers)
        assert response.status_code == 200, response.text
        return response.json()

    return post


@pytest.fixture
def take_record(door, post):
    async def take_record(system: str, external_id: str) -> str:
        record = {"system": system, "externalId": external_id, "reference": "CUST-0001", "name": "Acme"}
        taken = await post(f"{door.identity_url}/records", {"records": [record]}, "application/json")
        return taken["customers"][external_id]

    return take_record
