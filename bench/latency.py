"""`python -m bench.latency`: what the gateway adds to the time that subgraphs take for a customer view of three fetches.

Each subgraph notes when a fetch came and when its answer went. By the plan, the slowest chain of them is the time that no
gateway could save; whatever a client waited beyond it, loopback included, is the gateway's.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, cast

import orjson
import typer
from rich.console import Console
from rich.table import Table
from uvloop import new_event_loop

from bench.figures import compare_and_keep
from bench.workplace import PLACE, ROOT
from gateway.federation.composition import SubgraphSource, compose
from gateway.federation.operation import prepare
from gateway.federation.plan import EntityFetch, Parallel, PlanNode, QueryPlan, RootFetch, print_plan
from gateway.federation.plan import Sequence as Steps
from gateway.federation.planner import Planner
from gateway.federation.supergraph import parse_supergraph

SCHEMAS = {
    "crm": 'type Query { customer(id: ID!): Customer } type Customer @key(fields: "id") { id: ID! name: String }',
    "billing": 'type Customer @key(fields: "id") { id: ID! contracts: [Contract] } '
    "type Contract { number: ID! mrr: String }",
    "erp": 'type Customer @key(fields: "id") { id: ID! legalName: String overdueBalance: String }',
}
QUERY = "query View($id: ID!) { customer(id: $id) { name contracts { number mrr } legalName overdueBalance } }"
ENTITIES = {
    "billing": {"contracts": [{"number": f"CON-{number}", "mrr": "1064.03"} for number in range(10)]},
    "erp": {"legalName": "Harborwater Health Inc.", "overdueBalance": "12768.36"},
}
_ID = re.compile(rb"(?i)\r\nx-correlation-id: *([^\r]+)")
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")

Times = dict[str, dict[str, float]]
"""Correlation id → subgraph → the seconds it took from a fetch's last byte to its answer's first."""


@dataclass(slots=True)
class Subgraph(asyncio.Protocol):
    """One subgraph's connection: it answers after so many seconds, and notes how long that was in truth."""

    name: str
    late_s: float
    times: Times
    _received: bytes = b""
    _transport: asyncio.Transport | None = field(default=None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the line."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer a whole request."""
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        length = _LENGTH.search(self._received[:end]) if end >= 0 else None
        if length is None or len(self._received) < end + 4 + int(length[1]):
            return
        asked = _ID.search(self._received[:end])
        assert asked is not None, "every fetch has one"
        self._received = b""
        came = time.perf_counter()
        if self.late_s:
            asyncio.get_running_loop().call_later(self.late_s, self._answer, asked[1].decode(), came)
        else:
            self._answer(asked[1].decode(), came)

    def _answer(self, asked: str, came: float) -> None:
        assert self._transport is not None
        # Each request asks for a customer of its own: reads that are alike would be sent once.
        body = _BODIES[self.name].replace(_ASKED, asked.encode())
        self.times.setdefault(asked, {})[self.name] = time.perf_counter() - came
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
        self._transport.write(head + body)


@dataclass(slots=True)
class Client(asyncio.Protocol):
    """A client's connection, one request at a time. Notes when an answer is whole, before anybody is woken for it."""

    _began: float = 0.0
    _received: bytes = b""
    _took: asyncio.Future[float] | None = None
    transport: asyncio.Transport | None = field(default=None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the line."""
        self.transport = cast("asyncio.Transport", transport)

    async def ask(self, content: bytes) -> float:
        """Send a request; return the seconds that its answer took."""
        assert self.transport is not None
        self._took = asyncio.get_running_loop().create_future()
        self._received = b""
        self._began = time.perf_counter()
        self.transport.write(content)
        return await self._took

    def data_received(self, data: bytes) -> None:
        """Take a part of the answer."""
        now = time.perf_counter()
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        length = _LENGTH.search(self._received[:end]) if end >= 0 else None
        if length is None or len(self._received) < end + 4 + int(length[1]):
            return
        assert b'"legalName":"Harborwater' in self._received, self._received[:300]
        assert self._took is not None
        self._took.set_result(now - self._began)


async def connect(port: int) -> Client:
    """Open a connection to the gateway."""
    _, client = await asyncio.get_running_loop().create_connection(Client, "127.0.0.1", port)
    return client


def _bodies() -> dict[str, bytes]:
    root: dict[str, Any] = {"customer": {"__typename": "Customer", "id": _ASKED.decode(), "name": "Harborwater Health"}}
    entities = {name: {"_entities": [{"__typename": "Customer", **each}]} for name, each in ENTITIES.items()}
    return {name: orjson.dumps({"data": data}) for name, data in {"crm": root, **entities}.items()}


_ASKED = b"the customer asked for"
_BODIES = _bodies()


def slowest_chain_s(node: PlanNode, times: Mapping[str, float]) -> float:
    """Return the least time in which a plan can be carried out, if subgraphs take so long: what follows what adds up."""
    match node:
        case RootFetch() | EntityFetch():
            return times[node.subgraph]
        case Steps(nodes):
            return sum(slowest_chain_s(each, times) for each in nodes)
        case Parallel(nodes):
            return max(slowest_chain_s(each, times) for each in nodes)
        case other:
            raise SystemExit(f"the plan holds what this bench does not reckon with: {other}")


def main(
    requests: Annotated[int, typer.Option(min=100, help="Counted requests of each row.")] = 2_000,
    late_ms: Annotated[str, typer.Option(help="How late subgraphs answer: a row for each.")] = "0,5",
    at_once: Annotated[str, typer.Option(help="Requests under way at a time: a row for each.")] = "1,10",
) -> None:
    """Start three subgraphs and a gateway, ask for the view, and print what the gateway added."""
    os.sched_setaffinity(0, {1})  # client and subgraphs; the gateway has the other core
    with asyncio.Runner(
        loop_factory=new_event_loop
    ) as runner:  # the lighter it is, the less of its time is told as ours
        runner.run(
            _run(requests, [float(each) for each in late_ms.split(",")], [int(each) for each in at_once.split(",")])
        )


async def _run(requests: int, late_ms: Sequence[float], at_once: Sequence[int]) -> None:
    console = Console(width=120, highlight=False)
    table = Table(title="Added by the gateway to the slowest chain of three fetches, ms", title_justify="left")
    for heading in ("subgraphs late ms", "at once", "chain p50", "answer p50", "added p50", "added p95", "added p99"):
        table.add_column(heading, justify="right")
    figures: dict[str, dict[str, float]] = {}
    shown = False
    for late in late_ms:
        times: Times = {}
        async with _serving(late / 1e3, times) as (port, plan):
            if not shown:
                console.print(print_plan(plan), markup=False)
                shown = True
            for count in at_once:
                clients = [await connect(port) for _ in range(count)]
                await _ask(clients, port, 300, "warm")
                rows = await _ask(clients, port, requests, f"row-{count}")
                for client in clients:
                    assert client.transport is not None
                    client.transport.abort()
                assert plan.root is not None
                chains = {asked: slowest_chain_s(plan.root, times[asked]) * 1e3 for asked in rows}
                added = sorted(rows[asked] * 1e3 - chains[asked] for asked in rows)
                told = {
                    "chain p50": _quantile(sorted(chains.values()), 50),
                    "answer p50": _quantile(sorted(each * 1e3 for each in rows.values()), 50),
                    **{f"added p{percent}": _quantile(added, percent) for percent in (50, 95, 99)},
                }
                figures[f"{late:g} ms late, {count} at once"] = told
                table.add_row(f"{late:g}", str(count), *(f"{each:.2f}" for each in told.values()))
    console.print(table)
    compare_and_keep(PLACE / "results/latency.json", {"requests": requests}, figures, watched="added p50")


def _quantile(ordered: Sequence[float], percent: int) -> float:
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


async def _ask(clients: Sequence[Client], port: int, count: int, name: str) -> dict[str, float]:
    """Ask so many times; return the seconds that each answer took, by correlation id."""
    numbers = iter(range(count))
    took: dict[str, float] = {}

    async def work(client: Client) -> None:
        for number in numbers:
            asked = f"{name}-{number:06}"
            body = json.dumps({"query": QUERY, "variables": {"id": asked}}).encode()
            head = f"POST /graphql HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
            head += f"x-correlation-id: {asked}\r\ncontent-length: {len(body)}\r\n\r\n"
            took[asked] = await client.ask(head.encode() + body)

    await asyncio.gather(*map(work, clients))
    return took


@asynccontextmanager
async def _serving(late_s: float, times: Times) -> AsyncIterator[tuple[int, QueryPlan]]:
    """Yield the port of a gateway over the three subgraphs, and the plan by which it answers."""
    loop = asyncio.get_running_loop()
    folder = PLACE / "latency"
    servers = {
        name: await loop.create_server(lambda name=name: Subgraph(name, late_s, times), "127.0.0.1", 0)
        for name in SCHEMAS
    }
    urls = {name: f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/" for name, server in servers.items()}
    config, supergraph = _write(folder, urls)
    graph = parse_supergraph(supergraph)
    plan = Planner(graph).plan(prepare(graph.api_schema, QUERY))
    command = ("taskset", "-c", "0", sys.executable, "-m", "gateway.cli.main", "serve", "--config", str(config))
    with (folder / "gateway.log").open("wb") as log:
        gateway = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=log)
    try:
        assert gateway.stdout is not None
        line = (await gateway.stdout.readline()).decode()
        if not line.startswith("ready "):
            raise SystemExit(f"the gateway does not start; see {folder / 'gateway.log'}")
        yield int(line.rpartition(":")[2]), plan
    finally:
        with suppress(ProcessLookupError):
            gateway.send_signal(signal.SIGTERM)
        await gateway.wait()
        for server in servers.values():
            server.close()


def _write(folder: Path, urls: Mapping[str, str]) -> tuple[Path, str]:
    folder.mkdir(parents=True, exist_ok=True)
    supergraph = compose([SubgraphSource(name=name, url=urls[name], sdl=sdl) for name, sdl in SCHEMAS.items()])
    assert supergraph.supergraph_sdl is not None
    path = folder / "supergraph.graphql"
    path.write_text(supergraph.supergraph_sdl)
    config = folder / "concord.toml"
    lines = ["[server]", "port = 0", "[state]", f"directory = {json.dumps(str(folder / 'state'))}", "[supergraph]"]
    lines += [f"path = {json.dumps(str(path))}", "[access]", 'policy = "development"', "[events]"]
    lines += [f"contracts = {json.dumps(str(ROOT / 'schema/events'))}"]
    config.write_text("\n".join(lines) + "\n")
    return config, supergraph.supergraph_sdl


if __name__ == "__main__":
    typer.run(main)
