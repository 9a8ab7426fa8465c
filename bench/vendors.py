"""`python -m bench.vendors`: what the consumers' operations over a thousand customers cost each system of record.

Each subgraph is asked for its part of each operation for all customers at once, over the vendor's sandbox. Batched systems
need at most ceil(n / batch) requests per kind of record, which is the column "at most"; billing answers from the mirror that
Stripe's events keep.
"""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import httpx2
import typer
from rich.console import Console
from rich.table import Table

from subgraphs.kit.company.generate import generate
from subgraphs.kit.company.model import Company

ROOT = Path(__file__).parents[1]
SEED = 7
OF_CUSTOMERS = "query($of: [_Any!]!) { _entities(representations: $of) { ... on Customer { %s } } }"
OF_CONTRACTS = "query($of: [_Any!]!) { _entities(representations: $of) { ... on Contract { %s } } }"


@dataclass(frozen=True, slots=True)
class Operation:
    """One consumer's operation, as far as one system answers it."""

    consumer: str
    of: str
    """customers or contracts: what it is asked of, all at once."""
    selection: str
    kinds: tuple[tuple[str, int], ...]
    """Kind of record that is read, and how many of them one request takes."""

    def most(self, company: Company) -> int:
        """Return how many requests it may cost: the sum of ceil(n / batch)."""
        return sum(ceil(len(getattr(company, kind)) / batch) for kind, batch in self.kinds)


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """One system of record, and its part of the consumers' operations."""

    name: str
    subgraph: str
    key: str
    """The field of Customer that its subgraph is entered by."""
    vendor: str | None = None
    operations: tuple[Operation, ...]


PORTAL_CRM = """name segment status owner { name email } parent { crmRef name }
    contacts(first: 5) { edges { node { name email } } }
    opportunities(first: 5) { edges { node { name stage closeOn amount { amount currency } } } }"""
PORTAL_ERP = """legalName creditHold creditLimit { amount } openBalance { amount } overdueBalance { amount }
    invoices(first: 5) { edges { node { number status dueOn total { amount } balance { amount } } } }"""
PORTAL_BILLING = """mrr { amount } arr { amount }
    contracts(first: 10) { edges { node { number status startsOn endsOn mrr { amount } renewal { dueOn noticeBy } } } }"""


def crm(name: str, *, batch: int, links: int, contracts: int) -> System:
    """A CRM that reads `batch` records by id, the links of `links` records, and the deals of `contracts` contracts."""
    whole = (
        ("customers", batch),
        ("contacts", batch),
        ("opportunities", batch),
        ("owners", batch),
        *[("customers", links)] * 3,
    )
    origins = (("contracts", contracts), ("owners", batch))
    return System(
        name=f"crm: {name}",
        subgraph="crm",
        key="crmRef",
        vendor=name,
        operations=(
            Operation("portal", "customers", PORTAL_CRM, whole),
            Operation("analytics", "contracts", "opportunity { id name stage } originGap { code }", origins),
            Operation("renewals", "contracts", "renewalStage accountManager { name }", origins),
        ),
    )


SYSTEMS = (
    crm("hubspot", batch=100, links=1000, contracts=100),
    crm("salesforce", batch=2000, links=200, contracts=100),
    System(
        name="erp: tryton",
        subgraph="erp",
        key="erpRef",
        operations=(
            Operation(
                "portal",
                "customers",
                PORTAL_ERP,
                (("customers", 2000), ("customers", 2000), ("customers", 2000), ("invoices", 2000)),
            ),
            Operation("support", "customers", "creditHold", (("customers", 2000),)),
            Operation(
                "analytics",
                "contracts",
                "billedToDate { amount } recognizedToDate { amount } deferredBalance { amount }",
                (
                    ("contracts", 2000),
                    ("invoices", 2000),
                    ("invoice_lines", 2000),
                    ("invoice_lines", 2000),
                    ("revenue_entries", 2000),
                ),
            ),
            Operation(
                "renewals",
                "customers",
                "openBalance { amount } overdueBalance { amount }",
                (("customers", 2000), ("customers", 2000)),
            ),
        ),
    ),
    System(
        name="billing: stripe",
        subgraph="billing",
        key="billingRef",
        # Whatever is asked for: the events since the last look, one page, and the meters.
        operations=(
            Operation("portal", "customers", PORTAL_BILLING, (("customers", 100),)),
            Operation(
                "support",
                "customers",
                "entitlements(first: 10) { edges { node { feature state limit used validUntil } } }",
                (("customers", 100),),
            ),
            Operation(
                "analytics",
                "contracts",
                "number status billedLines(first: 50) { edges { node { ref amount { amount } } } }",
                (("contracts", 100),),
            ),
            Operation("renewals", "contracts", "number status renewal { dueOn noticeBy }", (("contracts", 100),)),
        ),
    ),
)


@contextmanager
def running(module: str, folder: Path, prefix: str, **settings: object) -> Iterator[str]:
    """Run a module of ours until the block ends; yields its address."""
    environment = {f"CONCORD_{prefix}_{name}": str(value) for name, value in settings.items()}
    with (folder / f"{prefix}.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        line = process.stdout.readline() if process.stdout else ""
        if not line.startswith("ready "):
            raise RuntimeError(f"{module} did not start: {folder / prefix}.log")
        yield line.removeprefix("ready ").strip()
    finally:
        process.terminate()
        process.wait(20)
        if process.stdout:
            process.stdout.close()


@contextmanager
def started(system: System, customers: int, today: dt.date) -> Iterator[tuple[str, str, str]]:
    """Run a sandbox, identity and the subgraph; yields the addresses of sandbox, identity and subgraph."""
    name = system.subgraph.upper()
    vendor = {"VENDOR": system.vendor} if system.vendor else {}
    with TemporaryDirectory() as folder:
        at = Path(folder)
        sandbox = running(
            f"subgraphs.{system.subgraph}.sandbox", at, f"{name}_SANDBOX",
            PORT=0, STATE_DIR=at / "sandbox", CUSTOMERS=customers, SEED=SEED, TODAY=today.isoformat(), WEBHOOK_URL="", **vendor,
        )  # fmt: skip
        identity = running("subgraphs.identity.app", at, "IDENTITY", PORT=0, STATE_DIR=at / "identity")
        with sandbox as vendor_url, identity as identity_url:
            path = "/erp" if system.subgraph == "erp" else ""
            subgraph = running(
                f"subgraphs.{system.subgraph}.app", at, name,
                PORT=0, STATE_DIR=at / "subgraph", VENDOR_URL=vendor_url + path, CROSSWALK_URL=identity_url,
                EVENTS_URL="http://127.0.0.1:9/events", POLL_INTERVAL_S=3600, VENDOR_TIMEOUT_S=60, **vendor,
            )  # fmt: skip
            with subgraph as url:
                yield vendor_url, identity_url, url


def references(http: httpx2.Client, identity: str, key: str, expected: int) -> list[str]:
    """Wait until identity knows the customers; return their keys in this system."""
    query = f"query($a: String) {{ customers(first: 200, after: $a) {{ totalCount pageInfo {{ endCursor hasNextPage }} edges {{ node {{ {key} }} }} }} }}"
    end = time.monotonic() + 120
    while True:
        found: list[str] = []
        after = None
        while True:
            answer = http.post(f"{identity}/graphql", json={"query": query, "variables": {"a": after}}).json()
            page = answer["data"]["customers"]
            found += [edge["node"][key] for edge in page["edges"] if edge["node"][key]]
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                break
        if len(found) >= expected:
            return found
        if time.monotonic() > end:
            raise RuntimeError(f"identity knows {len(found)} of {expected} customers")
        time.sleep(0.5)


def quiet(http: httpx2.Client, sandbox: str) -> None:
    """Wait until few have asked the sandbox for two seconds: what a subgraph reads when it starts is not the operations'."""
    before, end = -10, time.monotonic() + 90
    while (total := http.get(f"{sandbox}/__sandbox/requests").json()["total"]) > before + 3 and time.monotonic() < end:
        before = total
        time.sleep(2)


def measure(system: System, company: Company) -> Iterator[tuple[Operation, int, dict[str, Any], float]]:
    """Yield per operation: how many were asked for, what the sandbox counted, and seconds."""
    numbers = [contract.number for contract in company.contracts]
    size = len(company.customers)
    with (
        started(system, size, company.today) as (sandbox, identity, url),
        httpx2.Client(timeout=300, trust_env=False) as http,
    ):
        refs = references(http, identity, system.key, round(size * 0.9))
        quiet(http, sandbox)
        for operation in system.operations:
            if operation.of == "customers":
                query, asked = OF_CUSTOMERS, [{"__typename": "Customer", system.key: ref} for ref in refs]
            else:
                query, asked = OF_CONTRACTS, [{"__typename": "Contract", "number": each} for each in numbers]
            # What is read once an hour, such as the fields that an org has, is not the operation's.
            first = {"query": query % operation.selection, "variables": {"of": asked[:1]}}
            http.post(f"{url}/graphql", json=first).raise_for_status()
            http.delete(f"{sandbox}/__sandbox/requests")
            began = time.monotonic()
            body = {"query": query % operation.selection, "variables": {"of": asked}}
            answer = http.post(f"{url}/graphql", json=body).json()
            seconds = time.monotonic() - began
            if answer.get("errors"):
                raise RuntimeError(f"{system.name}, {operation.consumer}: {answer['errors'][0]}")
            yield operation, len(asked), http.get(f"{sandbox}/__sandbox/requests").json(), seconds


def main(
    customers: Annotated[int, typer.Option(help="How many customers each system has.")] = 1000,
    only: Annotated[str, typer.Option(help="Systems whose names contain this.")] = "",
) -> None:
    """Print what each consumer's operation costs each system of record; exit with 1 where one costs too many requests."""
    console = Console()
    table = Table("system", "consumer", "asked for", "requests", "at most", "kB", "seconds")
    company = generate(SEED, customers, dt.datetime.now(dt.UTC).date())
    is_dear = False
    for system in SYSTEMS:
        if only not in system.name:
            continue
        for operation, asked, counted, seconds in measure(system, company):
            most = operation.most(company)
            is_dear = is_dear or counted["total"] > most
            table.add_row(
                system.name, operation.consumer, f"{asked:,} {operation.of}", f"{counted['total']:,}", f"{most:,}",
                f"{counted['bytes'] / 1000:,.0f}", f"{seconds:.1f}",
            )  # fmt: skip
    console.print(table)
    raise typer.Exit(is_dear)


if __name__ == "__main__":
    typer.run(main)
