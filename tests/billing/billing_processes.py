"""The billing subgraph and its sandbox as others meet them: processes of their own, over HTTP, beside a crosswalk and an event log."""

from __future__ import annotations

import asyncio
import base64
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
from served_process import free_port
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from waiting import until

from subgraphs.kit.signature import HEADER, verify

ROOT = Path(__file__).parents[2]
SECRET = "between ourselves"
KEY = "sk_test_billing"
WEBHOOK_SECRET = "whsec_billing"
CUSTOMERS = 12


@dataclass
class Peers:
    """An identity and an event log, as billing sees them."""

    url: str = ""
    links: dict[str, str] = field(default_factory=dict)
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)

    async def take_records(self, request: Request) -> JSONResponse:
        body = await request.body()
        verify(SECRET, body, request.headers.get(HEADER))
        for record in orjson.loads(body)["records"]:
            self.records[record["externalId"]] = record
            name = f"Customer:{record.get('reference') or record['externalId']}"
            self.links[record["externalId"]] = base64.urlsafe_b64encode(name.encode()).rstrip(b"=").decode()
        return JSONResponse({"customers": self.links, "unmatched": []})

    async def synchronised(self, request: Request) -> JSONResponse:
        body = await request.body()
        verify(SECRET, body, request.headers.get(HEADER))
        assert orjson.loads(body) == {"system": "billing"}
        return JSONResponse({})

    async def resolve(self, request: Request) -> JSONResponse:
        wanted = orjson.loads(await request.body())["externalIds"]
        return JSONResponse({"customers": {key: self.links[key] for key in wanted if key in self.links}})

    async def take_events(self, request: Request) -> JSONResponse:
        body = await request.body()
        verify(SECRET, body, request.headers.get(HEADER))
        batch = orjson.loads(body)
        known = {event["id"] for event in self.events}
        fresh = [event for event in batch if event["id"] not in known]
        self.events.extend(fresh)
        return JSONResponse({"accepted": len(fresh), "duplicates": len(batch) - len(fresh), "rejected": []})

    def of(self, *types: str, contract: str | None = None) -> list[dict[str, Any]]:
        """The events of these types, and of one contract."""
        return [
            event
            for event in self.events
            if event["type"] in {f"concord.{name}.v1" for name in types}
            and (contract is None or event["data"]["keys"].get("contract") == contract)
        ]


@dataclass
class Process:
    """One of our processes."""

    url: str
    process: asyncio.subprocess.Process
    client: httpx2.AsyncClient

    async def graphql(self, query: str, variables: Any = None, **headers: str) -> dict[str, Any]:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        reply = await self.client.post("/graphql", json={"query": query, "variables": variables or {}}, headers=names)
        return orjson.loads(reply.content)

    async def faults(self, **faults: Any) -> None:
        assert (await self.client.put("/__sandbox/faults", json=faults)).status_code == 200

    async def requests(self) -> dict[str, Any]:
        return orjson.loads((await self.client.get("/__sandbox/requests")).content)

    async def stop(self) -> int:
        if self.process.returncode is None:
            self.process.terminate()
        async with asyncio.timeout(30):
            return await self.process.wait()


@asynccontextmanager
async def running(
    module: str, environment: dict[str, Any], *, auth: tuple[str, str] | None = None
) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, cwd=ROOT, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **{name: str(value) for name, value in environment.items()}},
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(120):
        line = (await process.stdout.readline()).decode()
    assert line.startswith("ready "), line
    url = line.split()[1]
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=20, auth=auth) as client:
        found = Process(url, process, client)
        try:
            yield found
        finally:
            await found.stop()


def sandbox_process(state: Path, webhook_url: str = "", **more: Any) -> Any:
    prefix = "CONCORD_BILLING_SANDBOX_"
    settings = {
        "PORT": 0, "STATE_DIR": state, "CUSTOMERS": CUSTOMERS, "TOKEN": KEY,
        "WEBHOOK_URL": webhook_url, "WEBHOOK_SECRET": WEBHOOK_SECRET, **more,
    }  # fmt: skip
    return running("subgraphs.billing.sandbox", {prefix + k: v for k, v in settings.items()}, auth=(KEY, ""))


def subgraph_process(state: Path, vendor_url: str, peers: Peers, **more: Any) -> Any:
    settings = {
        "PORT": 0, "STATE_DIR": state, "VENDOR_URL": vendor_url, "VENDOR_TOKEN": KEY, "WEBHOOK_SECRET": WEBHOOK_SECRET,
        "CROSSWALK_URL": peers.url, "EVENTS_URL": f"{peers.url}/events", "SIGNING_SECRET": SECRET,
        "POLL_INTERVAL_S": 0.3, "VENDOR_TIMEOUT_S": 3, **more,
    }  # fmt: skip
    return running("subgraphs.billing.app", {f"CONCORD_BILLING_{k}": v for k, v in settings.items()})


@asynccontextmanager
async def listening() -> AsyncIterator[Peers]:
    found = Peers()
    app = Starlette(
        routes=[
            Route("/records", found.take_records, methods=["POST"]),
            Route("/synchronised", found.synchronised, methods=["POST"]),
            Route("/resolve", found.resolve, methods=["POST"]),
            Route("/events", found.take_events, methods=["POST"]),
        ]
    )
    server = uvicorn.Server(uvicorn.Config(app, port=free_port(), log_level="error", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    found.url = f"http://127.0.0.1:{server.config.port}"
    try:
        yield found
    finally:
        server.should_exit = True
        await serving


@pytest.fixture(scope="module")
async def peers() -> AsyncIterator[Peers]:
    async with listening() as found:
        yield found


@dataclass
class Pair:
    """The subgraph and the sandbox it reads, connected both ways."""

    subgraph: Process
    sandbox: Process
    peers: Peers


@pytest.fixture(scope="module")
async def pair(tmp_path_factory: pytest.TempPathFactory, peers: Peers) -> AsyncIterator[Pair]:
    port = free_port()
    state = tmp_path_factory.mktemp("billing")
    async with (
        sandbox_process(state / "sandbox", f"http://127.0.0.1:{port}/webhooks/stripe") as sandbox,
        subgraph_process(state / "subgraph", sandbox.url, peers, PORT=port, USAGE_REFRESH_S=3) as subgraph,
    ):
        await until(lambda: subgraph.graphql("{ contracts(first: 1) { totalCount } }"))
        yield Pair(subgraph, sandbox, peers)
