"""The CRM's world for tests: sandbox, identity, event log and subgraph as they run in production, on free ports."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from served_app import served
from served_process import ROOT, ServedProcess, free_port, serve_module
from starlette.applications import Starlette
from waiting import until

from gateway.events.contracts import EventContracts
from gateway.events.embedded import Events, embedded_events
from gateway.events.ingest import EventIngest, events_route
from gateway.events.log import EventFilter
from subgraphs.kit.company.generate import generate
from subgraphs.kit.company.model import Company

SECRET = "between ourselves"
TOKEN = "a-hubspot-token"
WEBHOOK_SECRET = "a-hubspot-app-secret"
TODAY = "2026-03-02"
CUSTOMERS = 110


@dataclass(frozen=True)
class World:
    """Where everything answers."""

    sandbox: ServedProcess
    crm: ServedProcess
    identity: ServedProcess
    events: Events
    http: httpx2.AsyncClient
    log_url: str

    async def ask(self, query: str, variables: dict[str, Any] | None = None, **headers: str) -> dict[str, Any]:
        """Return the subgraph's whole answer."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        body = {"query": query, "variables": variables or {}}
        answer = await self.http.post(f"{self.crm.url}/graphql", json=body, headers=names)
        return dict(answer.json())

    async def hubspot(self, method: str, path: str, body: object = None) -> Any:
        """Return what the sandbox answers to somebody else, such as a person in HubSpot's own pages."""
        answer = await self.http.request(
            method, f"{self.sandbox.url}{path}", json=body, headers={"authorization": f"Bearer {TOKEN}"}
        )
        return answer.json()

    @asynccontextmanager
    async def fault(self, **fault: Any) -> AsyncIterator[None]:
        """Break the sandbox within the block."""
        control = f"{self.sandbox.url}/__sandbox/faults"
        (await self.http.put(control, json=fault)).raise_for_status()
        try:
            yield
        finally:
            (await self.http.put(control, json={})).raise_for_status()

    async def vendor_requests(self) -> dict[str, int]:
        """Return what the sandbox was asked since `forget_requests`."""
        return dict((await self.http.get(f"{self.sandbox.url}/__sandbox/requests")).json()["byRoute"])

    async def forget_requests(self) -> None:
        await self.http.delete(f"{self.sandbox.url}/__sandbox/requests")

    async def eventually(self, check: Any, within_s: float = 60.0) -> Any:
        """Return what `check` returns as soon as that is something."""
        return await until(check, within_s)

    async def told(self, *names: str, subject: str | None = None) -> list[Any]:
        """Return the events of these types in the log, oldest first."""
        wanted = EventFilter(types=frozenset(f"concord.{name}.v1" for name in names))
        page = await self.events.log.read(0, wanted, 1000)
        return [entry.event for entry in page.events if subject in {None, entry.event.subject}]


@pytest.fixture(scope="session")
def company() -> Company:
    """What the sandbox is filled with."""
    return generate(7, CUSTOMERS, dt.date.fromisoformat(TODAY))


def sandbox_settings(folder: Path, webhook_url: str = "", vendor: str = "hubspot") -> dict[str, object]:
    return {
        "CONCORD_CRM_SANDBOX_VENDOR": vendor,
        "CONCORD_CRM_SANDBOX_PORT": 0,
        "CONCORD_CRM_SANDBOX_STATE_DIR": folder / "sandbox",
        "CONCORD_CRM_SANDBOX_CUSTOMERS": CUSTOMERS,
        "CONCORD_CRM_SANDBOX_TODAY": TODAY,
        "CONCORD_CRM_SANDBOX_TOKEN": TOKEN,
        "CONCORD_CRM_SANDBOX_WEBHOOK_URL": webhook_url,
        "CONCORD_CRM_SANDBOX_WEBHOOK_SECRET": WEBHOOK_SECRET,
    }


def crm_settings(
    folder: Path, port: int, sandbox: str, identity: str, events: str, vendor: str = "hubspot"
) -> dict[str, object]:
    return {
        "CONCORD_CRM_VENDOR": vendor,
        "CONCORD_CRM_PORT": port,
        "CONCORD_CRM_STATE_DIR": folder / "crm",
        "CONCORD_CRM_VENDOR_URL": sandbox,
        "CONCORD_CRM_VENDOR_TOKEN": TOKEN,
        "CONCORD_CRM_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "CONCORD_CRM_CROSSWALK_URL": identity,
        "CONCORD_CRM_EVENTS_URL": events,
        "CONCORD_CRM_SIGNING_SECRET": SECRET,
        "CONCORD_CRM_VENDOR_TIMEOUT_S": 1.5,
    }


@pytest.fixture(scope="session")
def hubspot_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedProcess]:
    """A sandbox alone, for whoever only reads or breaks it."""
    folder = tmp_path_factory.mktemp("hubspot")
    sandbox = serve_module("subgraphs.crm.sandbox", folder, sandbox_settings(folder))
    yield sandbox
    sandbox.stop()


@pytest.fixture(scope="session")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """Everything the CRM subgraph talks to, and it."""
    async with running_world(tmp_path_factory.mktemp("crm-world")) as world:
        yield world


@asynccontextmanager
async def running_world(
    folder: Path, vendor: str = "hubspot", identity: dict[str, object] | None = None, **settings: object
) -> AsyncIterator[World]:
    """Start a world; `settings` are further ones of the CRM subgraph, `identity` of identity."""
    of_identity = identity or {}
    contracts = EventContracts.load(ROOT / "schema" / "events")
    async with embedded_events(folder / "events.sqlite") as events, httpx2.AsyncClient(trust_env=False) as http:
        ingest = EventIngest(events.log, events.dead_letters, contracts, secret=SECRET)
        async with served(Starlette(routes=[events_route(ingest)])) as log_url:
            port = free_port()
            with ExitStack() as stack:  # one that doesn't start must not leave those before it behind

                def serve(module: str, environment: dict[str, object]) -> ServedProcess:
                    process = serve_module(module, folder, environment)
                    stack.callback(process.stop)
                    return process

                webhooks = f"http://127.0.0.1:{port}/webhooks/hubspot"
                sandbox = serve("subgraphs.crm.sandbox", sandbox_settings(folder, webhooks, vendor))
                identity = serve(
                    "subgraphs.identity.app",
                    {
                        "CONCORD_IDENTITY_PORT": 0,
                        "CONCORD_IDENTITY_STATE_DIR": folder / "identity",
                        "CONCORD_IDENTITY_SIGNING_SECRET": SECRET,
                        "CONCORD_IDENTITY_EVENTS_URL": f"{log_url}/events",
                        **of_identity,
                    },
                )
                of_crm = crm_settings(folder, port, sandbox.url, identity.url, f"{log_url}/events", vendor)
                crm = serve("subgraphs.crm.app", {**of_crm, **settings})
                world = World(sandbox, crm, identity, events, http, log_url)
                await world.eventually(lambda: is_ready(world))
                yield world


async def is_ready(world: World) -> bool:
    """Whether the CRM has told identity its customers."""
    return bool((await world.http.get(f"{world.crm.url}/ready")).status_code == 200)
