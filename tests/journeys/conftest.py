"""The whole product, started by its own command on free ports: what every journey goes through."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from served_process import free_port, free_ports, serve_module, serve_program
from waiting import until

ROOT = Path(__file__).parents[2]
OWN_SUBGRAPHS = Path(__file__).with_name("own_subgraphs.py")
CUSTOMERS = 200
STARTS_WITHIN_S = 120
SYSTEMS = ("crm", "billing", "erp")

_ACTIVE = """{ contracts(first: 100, filter: { status: [ACTIVE] }) { edges { node {
  id number version mrr { amount } currency items { product { sku } quantity } customer { id creditHold legalName } } } } }"""
"""Contracts to be changed."""
_OPEN = """{ opportunities(first: 100, filter: { stage: [QUALIFICATION, DISCOVERY, PROPOSAL, NEGOTIATION] }) { edges { node {
  id version stage amount { amount currency } contract { number } customer { id creditHold } } } } }"""
"""Deals to be closed."""


@dataclass
class Product:
    """A running `concord up`, and how to talk to it as its users do."""

    config: Path
    url: str
    ports: dict[str, int]
    state: Path
    process: subprocess.Popen[bytes]
    client: httpx2.Client = field(default_factory=lambda: httpx2.Client(timeout=40, trust_env=False))

    @property
    def graphql(self) -> str:
        return f"{self.url}/graphql"

    @property
    def websocket(self) -> str:
        return self.graphql.replace("http:", "ws:")

    def post(self, query: str, variables: dict[str, Any] | None = None, **headers: str) -> httpx2.Response:
        body = {"query": query, "variables": variables or {}}
        return self.client.post(self.graphql, json=body, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def ask(self, query: str, variables: dict[str, Any] | None = None, **headers: str) -> dict[str, Any]:
        """Return the whole answer."""
        return self.post(query, variables, **headers).json()

    def data(self, query: str, variables: dict[str, Any] | None = None, **headers: str) -> dict[str, Any]:
        """Return the data of an answer without errors."""
        answer = self.ask(query, variables, **headers)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def document(self, name: str) -> str:
        """Return one of the operations that ship with the product."""
        return (ROOT / "schema/documents" / f"{name}.graphql").read_text()

    def newest_cursor(self) -> str:
        """Where the event log ends, once there is anything in it: who subscribes with it misses nothing of what is done next."""
        deadline = time.monotonic() + 60
        while not (edges := self.data("{ events(last: 1) { edges { cursor } } }")["events"]["edges"]):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        return str(edges[0]["cursor"])

    def sandbox(self, system: str, path: str) -> str:
        return f"http://127.0.0.1:{self.ports[f'{system}-sandbox']}/__sandbox/{path}"

    def set_faults(self, system: str, **faults: Any) -> None:
        self.client.put(self.sandbox(system, "faults"), json=faults).raise_for_status()

    def vendor_requests(self, system: str) -> dict[str, Any]:
        return self.client.get(self.sandbox(system, "requests")).raise_for_status().json()

    def forget_vendor_requests(self, *systems: str) -> None:
        for system in systems:
            self.client.delete(self.sandbox(system, "requests")).raise_for_status()

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `concord` with these arguments against this product."""
        command = [sys.executable, "-m", "gateway.cli.main", *arguments, "--config", str(self.config)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)

    async def eventually(self, look: Callable[[], Any], within_s: float = 60.0) -> Any:
        """Return what `look` finds, as soon as it is true."""
        return await until(lambda: asyncio.to_thread(look), within_s)


def written_config(folder: Path) -> tuple[Path, dict[str, int]]:
    """Write the product's own configuration with other ports and another state directory."""
    text = (ROOT / "schema/concord.toml").read_text()
    old = re.findall(r"^(?:port = (\d+))$", text, re.MULTILINE)
    for before, after in zip(old, free_ports(len(old)), strict=True):
        text = re.sub(rf"\b{before}\b", str(after), text)
    text = text.replace('directory = ".concord"', f"directory = {json.dumps(str(folder / 'state'))}")
    text = text.replace('".concord/', f'"{folder}/state/')
    config = folder / "concord.toml"
    config.write_text(text)
    names = re.findall(r"^\[(?:processes\.)?([\w-]+)\]$(?:\n(?!\[).*)*?\nport = (\d+)", text, re.MULTILINE)
    return config, {name: int(port) for name, port in names}


@contextmanager
def started(
    folder: Path, customers: int, settings: str = "", *, ready: Sequence[str] = SYSTEMS, **environment: str
) -> Iterator[Product]:
    """Start a product with its state in the folder, and stop it at the end.

    `settings` is added to its configuration. `ready`: the systems whose customers are to be known before it is used.
    """
    config, ports = written_config(folder)
    config.write_text(f"{config.read_text()}\n{settings}")
    command = [sys.executable, "-m", "gateway.cli.main", "up", "--config", str(config), "--customers", str(customers)]
    with (folder / "up.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **environment}, stdout=log, stderr=subprocess.STDOUT
        )
    running = Product(config, f"http://127.0.0.1:{ports['server']}", ports, folder / "state", process)
    try:
        wait_until_up(running, folder / "up.log", ready)
        yield running
    finally:
        running.client.close()
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration of the product with ports and a state directory of its own; nothing is running."""
    return written_config(tmp_path)[0]


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product with its 200 customers; journeys leave it as they found it, but for the history they made."""
    # Outages of the system that is mirrored must show soon, or the tests wait for them.
    # The ERP's data lives in a region: that says nothing to callers whom no claim confines to some.
    regions = {"CONCORD_EVENTS__REGIONS__ERP": "US"}
    with started(
        tmp_path_factory.mktemp("product"), CUSTOMERS, CONCORD_BILLING_MAX_STALENESS_S="2", **regions
    ) as running:
        yield running


@pytest.fixture(scope="session")
def start_product():
    """Starts a product of a test's own: `with start_product(folder, customers, **environment) as running`."""
    return started


@pytest.fixture(scope="module")
def changing_product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A small product of its own, to change at will; use of meters, which no vendor pushes, is looked for all the time."""
    folder = tmp_path_factory.mktemp("changing-product")
    eager = {"CONCORD_BILLING_USAGE_REFRESH_S": "2", "CONCORD_ERP_POLL_INTERVAL_S": "1"}
    with started(folder, 40, **eager) as running:
        yield running


@pytest.fixture(scope="session")
def cpq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("cpq")
    served = serve_module("subgraphs.examples.cpq.app", folder, {"CONCORD_EXAMPLES_CPQ_PORT": 0}, timeout_s=60)
    yield served.url
    served.stop()


@pytest.fixture(scope="session")
def agreeing(tmp_path_factory: pytest.TempPathFactory, cpq: str) -> Iterator[Product]:
    """A product of its own: a CPQ service prices analytics and many seats, and big changes wait for somebody else."""
    folder: Path = tmp_path_factory.mktemp("agreeing-product")
    settings = f"""
[workflows.pricing]
cpq_url = "{cpq}/quote"
cpq_timeout_s = 2
[[workflows.pricing.rules]]
authority = "cpq"
products = ["ANALYTICS*"]
[[workflows.pricing.rules]]
authority = "cpq"
products = ["CORE-SEAT"]
above = 50000
"""
    environment = {"CONCORD_ERP_POLL_INTERVAL_S": "1", "CONCORD_WORKFLOWS__APPROVAL_ABOVE": "90000"}
    with started(folder, 40, settings, **environment) as running:
        yield running


@pytest.fixture(scope="session")
def contracts(agreeing: Product) -> list[dict[str, Any]]:
    """Active contracts of customers on no hold, each to be used by one test."""
    found = [edge["node"] for edge in agreeing.data(_ACTIVE)["contracts"]["edges"]]
    return [each for each in found if each["customer"]["creditHold"] is False and each["customer"]["legalName"]]


@pytest.fixture(scope="session")
def own_subgraphs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The addresses of two subgraphs that have nothing to do with the product."""
    with ExitStack() as stack:
        found = {}
        for name in ("accounts", "reviews"):
            port, folder = free_port(), tmp_path_factory.mktemp(name)
            command = [sys.executable, str(OWN_SUBGRAPHS), name, str(port)]
            served = serve_program(command, folder, f"http://127.0.0.1:{port}", "/graphql", {})
            stack.callback(served.stop)
            found[name] = f"{served.url}/graphql"
        yield found


@pytest.fixture(scope="session")
def deals(agreeing: Product) -> list[dict[str, Any]]:
    """Open opportunities without a contract, each to be used by one test; the smallest is the last."""
    found = [edge["node"] for edge in agreeing.data(_OPEN)["opportunities"]["edges"]]
    fit = [
        each
        for each in found
        if each["contract"] is None and each["customer"] and each["customer"]["creditHold"] is False and each["amount"]
    ]
    return sorted(fit, key=lambda each: float(each["amount"]["amount"]), reverse=True)


def wait_until_up(running: Product, log: Path, systems: Sequence[str]) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_S
    waiting = ["server", *systems]
    while waiting:
        assert running.process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, f"not ready: {waiting}\n{log.read_text()}"
        try:
            answer = running.client.get(f"http://127.0.0.1:{running.ports[waiting[0]]}/ready")
        except httpx2.TransportError:
            time.sleep(0.2)
            continue
        if answer.status_code == 200:
            del waiting[0]
        else:
            time.sleep(0.2)


@pytest.fixture(scope="session")
def overdue_customer(product: Product) -> dict[str, Any]:
    """A customer that all three systems know, with an unpaid invoice past its due date."""
    query = """{ customers(first: 1, filter: { overdue: true }, orderBy: { field: OVERDUE_AMOUNT, direction: DESC }) {
        edges { node { id name crm: identities { system externalId } } } } }"""
    return product.data(query)["customers"]["edges"][0]["node"]
