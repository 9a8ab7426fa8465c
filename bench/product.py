"""`python -m bench.product`: what the four consumers' operations cost on the product itself, from end to end.

Latency, requests to the vendors and processor time of each process, with the entity cache off, cold and hot.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import httpx2
import typer
from rich.console import Console
from rich.table import Table

from bench.figures import compare_and_keep
from bench.product_stage import Product, product
from bench.workplace import PLACE, ROOT

CACHES: Mapping[str, Mapping[str, str]] = {
    "off": {"cache-control": "no-store"},
    "cold": {"cache-control": "no-cache"},
    "hot": {},
}
"""How an operation meets the cache: nothing kept and nothing found, kept but not looked for, found."""

WIDE = {
    "crm": ("Contract", "Customer", "Opportunity"),
    "billing": ("BilledLine", "Contract", "Customer", "Entitlement", "Invoice", "Product"),
    "erp": ("BilledLine", "Contract", "Customer", "Invoice", "Product"),
    "identity": ("Customer",),
}
"""What `--wide` keeps: every entity that a plan enters."""
_EVENTS = "renewal_updates"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one operation cost."""

    p50_ms: float
    p99_ms: float
    vendor_requests: float
    cpu_ms: Mapping[str, float]
    """By process."""


def main(
    customers: Annotated[int, typer.Option(min=10, help="Customers in the sandboxes.")] = 100,
    requests: Annotated[int, typer.Option(min=5, help="Of each operation, for each state of the cache.")] = 60,
    at_once: Annotated[int, typer.Option(min=1, help="Requests under way at a time.")] = 2,
    wide: Annotated[bool, typer.Option(help="Let every entity be kept, not only what the product keeps.")] = False,
    only: Annotated[str, typer.Option(help="Operations to run, separated by commas.")] = "",
) -> None:
    """Start the product on free ports, run the operations of schema/documents, print what they cost."""
    costs: dict[str, Cost] = {}
    with product(PLACE / "product", customers=customers, ownership=_ownership(wide)) as running:
        named = _operations(running)
        for name, variables in named.items():
            if only and name not in only.split(","):
                continue
            document = (ROOT / f"schema/documents/{name}.graphql").read_text()
            for cache, headers in CACHES.items():
                bodies = [{"query": document, "variables": variables[at % len(variables)]} for at in range(requests)]
                costs[f"{name}, cache {cache}"] = asyncio.run(_measure(running, bodies, headers, at_once))
        if not only or _EVENTS in only.split(","):
            costs[f"{_EVENTS}, per event"] = asyncio.run(_measure_events(running, requests))
        resident, own = running.gateway_memory_mb()
    _print(costs)
    Console(highlight=False).print(f"The gateway holds {resident:.0f} MB, {own:.0f} of them its own.")
    figures = {
        row: {"p50 ms": cost.p50_ms, "p99 ms": cost.p99_ms, "vendor requests": cost.vendor_requests}
        | {f"{process} CPU ms": ms for process, ms in cost.cpu_ms.items()}
        | {"CPU ms without sandboxes": _ours(cost)}
        for row, cost in costs.items()
    }
    options = {"customers": customers, "requests": requests, "at_once": at_once, "wide": wide}
    compare_and_keep(PLACE / "results/product.json", options, figures, watched="CPU ms without sandboxes")


def _ownership(wide: bool) -> str:
    text = (ROOT / "schema/ownership.toml").read_text()
    if not wide:
        return text
    text = re.sub(r"^cache\..*\n", "", text, flags=re.MULTILINE)
    for system, types in WIDE.items():
        kept = "".join(f'cache.{name} = {{ ttl_s = 600, scope = "public" }}\n' for name in types)
        text = re.sub(rf"^\[systems\.{system}\]\n", lambda head, kept=kept: head[0] + kept, text, flags=re.MULTILINE)
    return text


def _operations(running: Product) -> dict[str, Sequence[Mapping[str, Any]]]:
    """Return each operation's variables, taken in turn: a few customers are asked for again and again."""
    query = "{ customers(first: 10, filter: { overdue: true }) { edges { node { id } } } }"
    answer = httpx2.post(f"{running.url}/graphql", json={"query": query}, trust_env=False, timeout=40).json()
    ids = [edge["node"]["id"] for edge in answer["data"]["customers"]["edges"]]
    return {
        "customer_view": [{"id": each} for each in ids],
        "entitlement_decision": [{"customerId": each, "feature": "seats"} for each in ids],
        "revenue_lineage": [{"first": 10}],
        "overdue_customers": [{}],
    }


async def _measure(
    running: Product, bodies: Sequence[Mapping[str, Any]], headers: Mapping[str, str], at_once: int
) -> Cost:
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:

        async def ask(body: Mapping[str, Any]) -> None:
            answer = await client.post(f"{running.url}/graphql", json=body, headers=headers)
            found = answer.raise_for_status().json()
            if "errors" in found:
                raise SystemExit(f"the product answers with errors: {str(found['errors'])[:300]}")

        # Plans, connections and, where it may, the cache are there before it counts.
        for body in bodies[:10]:
            await ask(body)
        return await _cost(running, [lambda body=body: ask(body) for body in bodies], at_once)


async def _cost(running: Product, calls: Sequence[Callable[[], Awaitable[None]]], at_once: int) -> Cost:
    # In a thread: the loop must not stand still while it has connections.
    vendor = await asyncio.to_thread(running.vendor_requests)
    before = running.used_s()
    times: list[float] = []
    pending = iter(calls)

    async def work() -> None:
        for call in pending:
            began = time.perf_counter()
            await call()
            times.append((time.perf_counter() - began) * 1e3)

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(work())
    after = running.used_s()
    vendor = await asyncio.to_thread(running.vendor_requests) - vendor
    times.sort()
    return Cost(
        p50_ms=times[len(times) // 2],
        p99_ms=times[min(len(times) - 1, len(times) * 99 // 100)],
        vendor_requests=vendor / len(calls),
        cpu_ms={name: (used - before.get(name, 0.0)) / len(calls) * 1e3 for name, used in sorted(after.items())},
    )


async def _measure_events(running: Product, count: int) -> Cost:
    """Publish renewal events one after another, each when the subscriber has the one before."""
    query = "{ contracts(first: 10, filter: { status: [ACTIVE] }) { edges { node { id number customer { id } } } } }"
    document = (ROOT / f"schema/documents/{_EVENTS}.graphql").read_text()
    headers = {"accept": "text/event-stream", "content-type": "application/json"}
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        answer = (await client.post(f"{running.url}/graphql", json={"query": query})).json()
        contracts = [edge["node"] for edge in answer["data"]["contracts"]["edges"]]
        stream = client.stream("POST", f"{running.url}/graphql", headers=headers, json={"query": document})
        async with stream as events:
            lines = events.aiter_lines()
            numbers = iter(range(10**6))

            async def publish() -> None:
                number = next(numbers)
                await _publish(client, running, contracts[number % len(contracts)], number)
                async for line in lines:
                    if line.startswith("data:") and '"renewalUpdates"' in line:
                        return

            for _ in range(3):
                await publish()
            return await _cost(running, [publish] * count, 1)


async def _publish(client: httpx2.AsyncClient, running: Product, contract: Mapping[str, Any], number: int) -> None:
    event = {
        "specversion": "1.0",
        "id": f"billing:bench-{time.time_ns()}-{number}:renewal.due",
        "source": "concord/billing",
        "type": "concord.renewal.due.v1",
        "subject": contract["id"],
        "time": "2026-03-01T09:30:00Z",
        "datacontenttype": "application/json",
        "data": {
            "keys": {"customer": contract["customer"]["id"], "contract": contract["number"]},
            "changes": [{"field": "daysLeft", "from": None, "to": str(number)}],
        },
    }
    body = json.dumps([event]).encode()
    moment = int(time.time())
    digest = hmac.new(running.secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {
        "content-type": "application/cloudevents-batch+json",
        "x-concord-signature": f"t={moment},v1={digest}",
    }
    answer = await client.post(f"{running.url}/events", content=body, headers=headers)
    if answer.json().get("accepted") != 1:
        raise SystemExit(f"the event was not taken: {answer.text[:300]}")


def _ours(cost: Cost) -> float:
    return sum(ms for process, ms in cost.cpu_ms.items() if process != "sandboxes")


def _print(costs: Mapping[str, Cost]) -> None:
    console = Console(width=150, highlight=False)
    processes = sorted({process for cost in costs.values() for process in cost.cpu_ms})
    table = Table(title="Per request: latency, requests to vendors, CPU ms of each process", title_justify="left")
    table.add_column("operation", no_wrap=True)
    for heading in ("p50 ms", "p99 ms", "vendor", *processes, "all but sandboxes"):
        table.add_column(heading, justify="right")
    for row, cost in costs.items():
        cells = (cost.p50_ms, cost.p99_ms, cost.vendor_requests, *(cost.cpu_ms.get(each, 0.0) for each in processes))
        table.add_row(row, *(f"{each:.2f}" for each in (*cells, _ours(cost))))
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
