"""What `bench.latency` measures: three subgraphs that note when fetches came and went, and a gateway over them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from bench.processes import ending, start
from bench.workplace import PLACE, ROOT
from gateway.federation.composition import SubgraphSource, compose
from gateway.federation.operation import prepare
from gateway.federation.plan import QueryPlan
from gateway.federation.planner import Planner
from gateway.federation.supergraph import parse_supergraph

SCHEMAS = {
    "crm": 'type Query { customer(id: ID!): Customer } type Customer @key(fields: "id") { id: ID! name: String }',
    "billing": 'type Customer @key(fields: "id") { id: ID! contracts: [Contract] } '
    "type Contract { number: ID! mrr: String }",
    "erp": 'type Customer @key(fields: "id") { id: ID! legalName: String overdueBalance: String }',
}
QUERY = "query View($id: ID!) { customer(id: $id) { name contracts { number mrr } legalName overdueBalance } }"
ENTITIES: Mapping[str, Mapping[str, object]] = {
    "billing": {"contracts": [{"number": f"CON-{number}", "mrr": "1064.03"} for number in range(10)]},
    "erp": {"legalName": "Harborwater Health Inc.", "overdueBalance": "12768.36"},
}
GATEWAY_CORE, OTHER_CORE = 0, 1
"""The gateway has a core of its own; clients and subgraphs share the other."""
_ID = re.compile(rb"customer-\d+")

Times = dict[str, dict[str, tuple[int, int]]]
"""Correlation id → subgraph → when a fetch was read and when its answer was written, ns of the monotonic clock."""


class Backend(BaseHTTPRequestHandler):
    """What is behind the fast front, which asks for each fetch that it has not seen, once."""

    def do_POST(self) -> None:
        """Answer a fetch of the subgraph that the path names, about the customer that the body names."""
        body = self.rfile.read(int(self.headers["content-length"]))
        found = _ID.search(body)
        customer = found[0].decode() if found else None
        name = self.path.strip("/")
        data: dict[str, object]
        if name in ENTITIES:
            data = {"_entities": [{"__typename": "Customer", **ENTITIES[name]}]}
        else:
            data = {"customer": {"__typename": "Customer", "id": customer, "name": "Harborwater Health"}}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"data": data}, separators=(",", ":")).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What runs."""

    port: int
    """The gateway's."""
    pid: int
    subgraphs: int
    """The port of the front, where each subgraph has a path of its own."""
    plan: QueryPlan

    def times(self) -> Times:
        """Return what subgraphs noted since the last time."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.subgraphs}/__times") as answer:
            lines = answer.read().decode().splitlines()
        times: Times = {}
        for line in lines:
            path, asked, read, written = line.split(" ")
            times.setdefault(asked, {})[path.strip("/")] = (int(read), int(written))
        return times


@contextmanager
def staging(late_ms: float, first_port: int) -> Iterator[Stage]:
    """Start subgraphs that answer so late, and a gateway over them."""
    backend = ThreadingHTTPServer(("127.0.0.1", 0), Backend)
    Thread(target=backend.serve_forever, daemon=True).start()
    folder = PLACE / "latency"
    folder.mkdir(parents=True, exist_ok=True)
    config, plan = _write(folder, {name: f"http://127.0.0.1:{first_port}/{name}" for name in SCHEMAS})
    ports = (str(first_port), str(backend.server_port))
    front = (str(PLACE / "fastsub"), *ports, str(int(late_ms * 1000)), "note")
    try:
        with ending() as pids:
            pids.append(start(front, core=OTHER_CORE, directory=folder, environment={}, log=folder / "fastsub.log"))
            with _gateway(folder, config) as (pid, port):
                yield Stage(port=port, pid=pid, subgraphs=first_port, plan=plan)
    finally:
        backend.shutdown()
        backend.server_close()


@contextmanager
def _gateway(folder: Path, config: Path) -> Iterator[tuple[int, int]]:
    """Start a gateway; yield its process id and its port."""
    serve = (sys.executable, "-m", "gateway.cli.main", "serve", "--config", str(config))
    command = ("taskset", "-c", str(GATEWAY_CORE), *serve)
    with (folder / "gateway.log").open("wb") as log:
        gateway = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log)
    try:
        assert gateway.stdout is not None
        line = gateway.stdout.readline().decode()
        if not line.startswith("ready "):
            raise SystemExit(f"the gateway does not start; see {os.path.relpath(folder / 'gateway.log')}")
        yield gateway.pid, int(line.rpartition(":")[2])
    finally:
        with suppress(ProcessLookupError):
            gateway.send_signal(signal.SIGTERM)
        gateway.wait()


def _write(folder: Path, urls: Mapping[str, str]) -> tuple[Path, QueryPlan]:
    """Write a configuration; return its path, and the plan by which the gateway answers."""
    supergraph = compose([SubgraphSource(name=name, url=urls[name], sdl=sdl) for name, sdl in SCHEMAS.items()])
    assert supergraph.supergraph_sdl is not None
    path = folder / "supergraph.graphql"
    path.write_text(supergraph.supergraph_sdl)
    config = folder / "concord.toml"
    lines = ["[server]", "port = 0", "[state]", f"directory = {json.dumps(str(folder / 'state'))}", "[supergraph]"]
    lines += [f"path = {json.dumps(str(path))}", "[access]", 'policy = "development"', "[events]"]
    lines += [f"contracts = {json.dumps(str(ROOT / 'schema/events'))}"]
    config.write_text("\n".join(lines) + "\n")
    graph = parse_supergraph(supergraph.supergraph_sdl)
    return config, Planner(graph).plan(prepare(graph.api_schema, QUERY))
