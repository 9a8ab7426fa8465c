"""Identity as others meet it: over HTTP, with an event log that listens."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from waiting import until

from gateway.access.caller import Caller
from gateway.access.identity import CallerSigner
from subgraphs.identity.app import start
from subgraphs.identity.schema import create_schema
from subgraphs.identity.settings import IdentitySettings
from subgraphs.kit.signature import HEADER, sign, verify
from subgraphs.kit.subgraph_app import create_app

ROOT = Path(__file__).parents[2]
SECRET = "between ourselves"


@dataclass
class Listener:
    """An event log that takes everything."""

    url: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)

    async def take(self, request: Request) -> JSONResponse:
        body = await request.body()
        verify(SECRET, body, request.headers.get(HEADER))
        batch = orjson.loads(body)
        self.events.extend(batch)
        return JSONResponse({"accepted": len(batch), "duplicates": 0, "rejected": []})

    async def until(self, count: int) -> list[dict[str, Any]]:
        await until(lambda: len(self.events) >= count)
        return self.events


@dataclass
class Identity:
    """A running identity process."""

    url: str
    client: httpx2.AsyncClient
    listener: Listener

    async def post(self, path: str, message: Any, *, secret: str = SECRET) -> httpx2.Response:
        body = message if isinstance(message, bytes) else orjson.dumps(message)
        return await self.client.post(self.url + path, content=body, headers={HEADER: sign(secret, body)})

    async def take(self, *records: dict[str, Any]) -> dict[str, Any]:
        response = await self.post("/records", {"records": list(records)})
        assert response.status_code == 200, response.text
        return response.json()

    async def ask(self, query: str, *, key: str | None = None, regions: Any = None, **variables: Any) -> dict[str, Any]:
        """`regions` are those that the caller's claims allow; None: all."""
        headers = {"Idempotency-Key": key} if key else {}
        if regions is not None:
            headers.update(
                [
                    CallerSigner(SECRET, "identity")(
                        Caller(subject="ada", scopes=frozenset({"credit:read"}), filters={"region": regions})
                    )
                ]
            )
        response = await self.client.post(
            f"{self.url}/graphql", json={"query": query, "variables": variables}, headers=headers
        )
        return response.json()

    async def data(self, query: str, **variables: Any) -> Any:
        answer = await self.ask(query, **variables)
        assert "errors" not in answer, answer
        return answer["data"]


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="on"))
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def running(state: Path, listener: Listener) -> AsyncIterator[Identity]:
    """Identity in a process of its own."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "CONCORD_IDENTITY_PORT": "0",
        "CONCORD_IDENTITY_STATE_DIR": str(state),
        "CONCORD_IDENTITY_SIGNING_SECRET": SECRET,
        "CONCORD_IDENTITY_EVENTS_URL": listener.url,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "subgraphs.identity.app", stdout=asyncio.subprocess.PIPE, env=environment, cwd=ROOT
    )
    try:
        assert process.stdout is not None
        ready = (await asyncio.wait_for(process.stdout.readline(), 60)).decode().split()
        async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
            yield Identity(ready[1], client, listener)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    started = Listener()
    async with serving(Starlette(routes=[Route("/events", started.take, methods=["POST"])])) as url:
        started.url = f"{url}/events"
        yield started


@asynccontextmanager
async def identity_in(state: Path, listener: Listener, **more: Any) -> AsyncIterator[Identity]:
    """Identity on a socket of this process; `more` are further settings."""
    settings = IdentitySettings(state_dir=state, signing_secret=SecretStr(SECRET), events_url=listener.url, **more)
    async with (
        serving(create_app("identity", create_schema(), settings, start)) as url,
        httpx2.AsyncClient(trust_env=False, timeout=60) as client,
    ):
        yield Identity(url, client, listener)


@pytest.fixture
async def identity(tmp_path: Path, listener: Listener) -> AsyncIterator[Identity]:
    """Identity with a store of its own."""
    async with identity_in(tmp_path, listener) as found:
        yield found


@pytest.fixture(name="identity_in", scope="session")
def identity_in_fixture() -> Any:
    return identity_in


@pytest.fixture(name="running", scope="session")
def running_fixture() -> Any:
    return running


@pytest.fixture(name="record", scope="session")
def record_fixture() -> Any:
    def record(system: str, external_id: str, **fields: Any) -> dict[str, Any]:
        return {"system": system, "externalId": external_id, **fields}

    return record
