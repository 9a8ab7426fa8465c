"""Events for tests: valid envelopes, a log on disk, and the ingest route behind a real server."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
import uvicorn
from starlette.applications import Starlette

from gateway.events.contracts import EventContracts
from gateway.events.embedded import Events, embedded_events
from gateway.events.ingest import EventIngest, events_route

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


@asynccontextmanager
async def serve(app: Any) -> AsyncIterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


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
    return serve


@pytest.fixture(scope="session")
def schemas() -> Path:
    return SCHEMAS


@pytest.fixture(scope="session")
def contracts() -> EventContracts:
    return EventContracts.load(SCHEMAS)


@pytest.fixture
async def events(tmp_path: Path) -> AsyncIterator[Events]:
    async with embedded_events(tmp_path / "events.sqlite") as opened:
        yield opened


@pytest.fixture
async def ingest(events: Events, contracts: EventContracts) -> AsyncIterator[Ingest]:
    app = Starlette(routes=[events_route(EventIngest(events.log, events.dead_letters, contracts, secret=SECRET))])
    async with serve(app) as url, httpx2.AsyncClient(trust_env=False) as client:
        yield Ingest(f"{url}/events", events, client)
