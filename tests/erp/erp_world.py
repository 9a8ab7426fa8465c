"""The ERP's world for tests: sandbox or real Tryton, identity, event log and subgraph as they run in production."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from served_app import served
from served_process import ROOT, ServedProcess, serve_module
from starlette.applications import Starlette
from tryton import LOGIN, PASSWORD, serve_tryton
from waiting import until

from gateway.events.contracts import EventContracts
from gateway.events.embedded import Events, embedded_events
from gateway.events.ingest import EventIngest, events_route
from gateway.events.log import EventFilter
from subgraphs.erp.vendors.tryton import Tryton, refusal_words
from subgraphs.erp.vendors.tryton_erp import TrytonErp
from subgraphs.erp.vendors.tryton_json import decode, encode, to_parameter
from subgraphs.kit.company.generate import generate
from subgraphs.kit.company.model import Company
from subgraphs.kit.vendor_client import VendorClient

SECRET = "between ourselves"
KEY = "an-application-key"
TODAY = dt.date(2026, 10, 20)
SMALL = generate(7, 4, TODAY)
"""Few facts that fit into a real Tryton: two currencies, a void, open and overdue invoices, a line never invoiced."""
LARGE = generate(7, 120, TODAY)


def sandbox_settings(folder: Path, customers: int) -> dict[str, object]:
    prefix = "CONCORD_ERP_SANDBOX_"
    return {
        f"{prefix}PORT": 0,
        f"{prefix}STATE_DIR": folder / "sandbox",
        f"{prefix}CUSTOMERS": customers,
        f"{prefix}TODAY": TODAY.isoformat(),
        f"{prefix}TOKEN": KEY,
        f"{prefix}LOGIN": LOGIN,
        f"{prefix}PASSWORD": PASSWORD,
    }


@dataclass(frozen=True)
class System:
    """A Tryton, real or not, filled with the same facts, and the adaptor before it."""

    url: str
    key: str
    erp: TrytonErp
    client: VendorClient
    company: Company
    http: httpx2.AsyncClient

    async def rest(
        self,
        method: str,
        path: str,
        *,
        domain: Any = None,
        fields: tuple[str, ...] = (),
        body: Any = None,
        **headers: str,
    ) -> httpx2.Response:
        """Return Tryton's own answer, past the adaptor."""
        params = [("f", name) for name in fields] + ([("d", to_parameter(domain))] if domain is not None else [])
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.request(
            method,
            f"{self.url}/rest/model/{path}",
            params=params,
            json=None if body is None else encode(body),
            headers={"authorization": f"Bearer {self.key}", "accept": "application/json", **named},
        )

    async def rows(self, model: str, domain: Any, *fields: str) -> list[dict[str, Any]]:
        return list(decode((await self.rest("GET", model, domain=domain, fields=fields)).json()))


@asynccontextmanager
async def system_at(url: str, key: str) -> AsyncIterator[System]:
    client = VendorClient(vendor="tryton", system="erp", base_url=url, words=refusal_words, timeout_s=30)
    async with client, httpx2.AsyncClient(trust_env=False, timeout=30) as http:
        tryton = Tryton(client, application_key=key, login=LOGIN, password=PASSWORD)
        yield System(url, key, TrytonErp(tryton, today=lambda: TODAY), client, SMALL, http)


@pytest.fixture(scope="session", params=["sandbox", "tryton"])
async def system(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """The sandbox, then a real Tryton 8.2: what holds for one holds for the other."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "sandbox":
        served = serve_module("subgraphs.erp.sandbox", folder, sandbox_settings(folder, len(SMALL.customers)))
        url, key, stop = f"{served.url}/erp", KEY, served.stop
    else:
        real = serve_tryton(folder, SMALL)
        url, key, stop = real.url, real.application_key, real.process.stop
    try:
        async with system_at(url, key) as found:
            yield found
    finally:
        stop()


@dataclass
class World:
    """Where everything answers."""

    folder: Path
    sandbox: ServedProcess
    identity: ServedProcess
    erp: ServedProcess
    events: Events
    events_url: str
    http: httpx2.AsyncClient
    company: Company
    today: dt.date = TODAY

    async def ask(self, query: str, variables: dict[str, Any] | None = None, **headers: str) -> dict[str, Any]:
        """Return the subgraph's whole answer."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        body = {"query": query, "variables": variables or {}}
        return dict((await self.http.post(f"{self.erp.url}/graphql", json=body, headers=names)).json())

    async def data(self, query: str, variables: dict[str, Any] | None = None, **headers: str) -> dict[str, Any]:
        answer = await self.ask(query, variables, **headers)
        assert "errors" not in answer, answer["errors"]
        return dict(answer["data"])

    async def entities(self, selection: str, *representations: dict[str, Any]) -> list[Any]:
        query = f"query($r: [_Any!]!) {{ _entities(representations: $r) {{ {selection} }} }}"
        return list((await self.data(query, {"r": list(representations)}))["_entities"])

    @asynccontextmanager
    async def fault(self, **fault: Any) -> AsyncIterator[None]:
        """Break the sandbox within the block."""
        control = f"{self.sandbox.url}/__sandbox/faults"
        (await self.http.put(control, json=fault)).raise_for_status()
        try:
            yield
        finally:
            (await self.http.put(control, json={})).raise_for_status()

    @asynccontextmanager
    async def tryton(self) -> AsyncIterator[System]:
        """Somebody else at the ERP, such as a person with Tryton's own client."""
        async with system_at(f"{self.sandbox.url}/erp", KEY) as found:
            yield found

    async def told(self, *types: str) -> list[Any]:
        """Return the events of these types in the log, oldest first."""
        page = await self.events.log.read(0, EventFilter(), 10_000)
        return [entry for entry in page.events if entry.event.type in {f"concord.{name}.v1" for name in types}]

    async def eventually(self, check: Callable[[], Any], within_s: float = 60.0) -> Any:
        """Return what `check` returns as soon as that is something."""
        return await until(check, within_s)

    def start_subgraph(self, **settings: object) -> None:
        """Start the subgraph (again), on the state it left."""
        prefix = "CONCORD_ERP_"
        own: dict[str, object] = {
            "PORT": 0,
            "STATE_DIR": self.folder / "erp",
            "VENDOR_URL": f"{self.sandbox.url}/erp",
            "VENDOR_TOKEN": KEY,
            "VENDOR_LOGIN": LOGIN,
            "VENDOR_PASSWORD": PASSWORD,
            "VENDOR_TIMEOUT_S": 15,
            "CROSSWALK_URL": self.identity.url,
            "EVENTS_URL": self.events_url,
            "SIGNING_SECRET": SECRET,
            "POLL_INTERVAL_S": 0.2,
            "TODAY": self.today.isoformat(),
            **settings,
        }
        self.erp = serve_module("subgraphs.erp.app", self.folder, {prefix + name: value for name, value in own.items()})


@asynccontextmanager
async def world_of(folder: Path, company: Company, **settings: object) -> AsyncIterator[World]:
    """A subgraph and what it needs; `settings` are the subgraph's further ones."""
    contracts = EventContracts.load(ROOT / "schema" / "events")
    async with (
        embedded_events(folder / "events.sqlite") as events,
        httpx2.AsyncClient(trust_env=False, timeout=20) as http,
    ):
        ingest = EventIngest(events.log, events.dead_letters, contracts, secret=SECRET)
        async with served(Starlette(routes=[events_route(ingest)])) as log_url:
            url = f"{log_url}/events"
            sandbox = serve_module("subgraphs.erp.sandbox", folder, sandbox_settings(folder, len(company.customers)))
            own = {"PORT": 0, "STATE_DIR": folder / "identity", "SIGNING_SECRET": SECRET, "EVENTS_URL": url}
            identity = serve_module(
                "subgraphs.identity.app",
                folder,
                {f"CONCORD_IDENTITY_{name}": value for name, value in own.items()},
            )
            world = World(folder, sandbox, identity, sandbox, events, url, http, company)
            world.start_subgraph(**settings)
            try:
                yield world
            finally:
                for process in (world.erp, identity, sandbox):
                    process.stop()


@pytest.fixture(scope="session")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A subgraph over 120 customers."""
    async with world_of(tmp_path_factory.mktemp("erp-world"), LARGE) as found:
        yield found


@pytest.fixture
async def small_world(tmp_path: Path) -> AsyncIterator[World]:
    """A subgraph of one's own, to change and restart, over 4 customers."""
    async with world_of(tmp_path, SMALL) as found:
        yield found
