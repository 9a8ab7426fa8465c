"""What all vendor sandboxes share: webhooks until they are taken, faults on request, a process that says when it is ready."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
import uvicorn
from kit_server import ScriptedVendor, hang_up
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from subgraphs.kit.background import background
from subgraphs.kit.sandbox.process import Sandbox, create_sandbox_app
from subgraphs.kit.sandbox.settings import SandboxSettings
from subgraphs.kit.sandbox.state import State
from subgraphs.kit.sandbox.webhooks import WebhookSender


def sender(state: State, url: str) -> WebhookSender:
    return WebhookSender(
        state,
        url=url,
        pack=lambda events: orjson.dumps(list(events)),
        sign=lambda url, body: {"x-signed": f"{url}:{len(body)}"},
        batch=2,
    )


async def until_sent(webhooks: WebhookSender) -> None:
    async with asyncio.timeout(10):
        while webhooks.waiting():  # noqa: ASYNC110 - the queue is a file
            await asyncio.sleep(0.02)


async def test_webhooks_are_sent_in_order_until_taken_over_a_restart_and_once_more_on_request(
    tmp_path: Path, vendor: ScriptedVendor, vendor_url: str
) -> None:
    state = State.open(tmp_path / "state.sqlite")
    webhooks = sender(state, vendor_url)
    for number in range(3):
        webhooks.enqueue({"n": number})
    with pytest.raises(ValueError, match="rolled back"), state.transaction():
        webhooks.enqueue({"n": "never"})
        raise ValueError("rolled back")
    state.close()
    state = State.open(tmp_path / "state.sqlite")
    webhooks = sender(state, vendor_url)
    vendor.script.extend([Response(b"", 500), hang_up])
    async with background(webhooks.deliver_forever):
        await until_sent(webhooks)
        assert webhooks.redeliver(1) == 1
        await until_sent(webhooks)
    state.close()
    bodies = [[event["n"] for event in orjson.loads(asked.body)] for asked in vendor.asked]
    assert bodies == [[0, 1], [0, 1], [0, 1], [2], [2]]
    assert {asked.headers["x-signed"] for asked in vendor.asked} == {
        f"{vendor_url}:{len(asked.body)}" for asked in vendor.asked
    }


@pytest.fixture(scope="module")
async def sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx2.AsyncClient]:
    """A vendor with one route, behind the fault middleware, served by uvicorn."""

    async def things(_request: Any) -> Response:
        return JSONResponse({"things": list(range(200))})

    @asynccontextmanager
    async def start(_settings: SandboxSettings) -> AsyncIterator[Sandbox]:
        yield Sandbox(app=Starlette(routes=[Route("/things/{id}", things), Route("/things", things)]))

    app = create_sandbox_app(SandboxSettings(state_dir=tmp_path_factory.mktemp("sandbox")), start)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=30) as http:
            yield http
        server.should_exit = True
        await serving


async def outcome(http: httpx2.AsyncClient, path: str = "/things", *, is_silent: bool = False) -> str:
    try:
        reply = await http.get(path, timeout=1 if is_silent else 30)
    except httpx2.TransportError as error:
        return type(error).__name__
    try:
        return f"{reply.status_code} {len(reply.json()['things'])}"
    except (ValueError, KeyError):
        return f"{reply.status_code} {reply.headers['content-type'].partition(';')[0]}"


async def test_faults_come_and_go_on_request(sandbox: httpx2.AsyncClient) -> None:
    seen = {}
    for fault in [
        {},
        {"mode": "down"},
        {"mode": "blackhole"},
        {"mode": "reset"},
        {"mode": "garbage"},
        {"mode": "html"},
        {"mode": "truncate"},
        {"errorRate": 1, "errorStatus": 502},
        {"mode": "down", "paths": "^/others"},
        {"mode": "down", "bodies": "pay"},
    ]:
        await sandbox.put("/__sandbox/faults", json=fault)
        seen[str(fault)] = await outcome(sandbox, is_silent=fault.get("mode") == "blackhole")
    await sandbox.put("/__sandbox/faults", json={"latencyMs": 200})
    start = time.monotonic()
    assert await outcome(sandbox) == "200 200"
    assert time.monotonic() - start >= 0.2
    await sandbox.put("/__sandbox/faults", json={"rateLimitPerS": 0.01})
    limited = [await outcome(sandbox) for _ in range(2)]
    await sandbox.put("/__sandbox/faults", json={})
    assert list(seen.values()) == [
        "200 200",
        "503 text/plain",
        "ReadTimeout",
        "ReadError",
        "200 application/json",
        "200 text/html",
        "RemoteProtocolError",
        "502 application/json",
        "200 200",
        "200 200",
    ]
    assert limited == ["200 200", "429 application/json"]


async def test_requests_are_counted_by_route_but_not_those_of_the_control(sandbox: httpx2.AsyncClient) -> None:
    await sandbox.delete("/__sandbox/requests")
    answers = [await sandbox.get(path) for path in ("/things/1", "/things/22", "/things/sub_1NxYz2eZvKY", "/things")]
    await sandbox.get("/health")
    assert (await sandbox.get("/__sandbox/requests")).json() == {
        "total": 4,
        "byRoute": {"GET /things/{id}": 3, "GET /things": 1},
        "bytes": sum(len(answer.content) for answer in answers),
    }


@pytest.mark.parametrize(
    "fault", [{"mode": "zork"}, {"latencyMs": -1}, {"paths": "("}, {"bodies": "("}, {"unknown": 1}, []]
)
async def test_a_fault_that_makes_no_sense_is_refused_and_changes_nothing(
    sandbox: httpx2.AsyncClient, fault: object
) -> None:
    before = (await sandbox.get("/__sandbox/faults")).json()
    assert (await sandbox.put("/__sandbox/faults", json=fault)).status_code == 400
    assert (await sandbox.get("/__sandbox/faults")).json() == before
    assert (await sandbox.post("/__sandbox/redeliver", content=b"{")).status_code == 400
