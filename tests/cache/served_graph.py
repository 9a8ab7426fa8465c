"""`concord serve` over a small graph whose subgraphs the test scripts: real processes, sockets and files."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from scripted_subgraph import ScriptedSubgraph

from gateway.federation.composition import SubgraphSource, compose

ROOT = Path(__file__).parents[2]
SECRET = "s" * 32


@dataclass
class Served:
    """A running gateway."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    async def ask(self, query: str, variables: dict[str, Any] | None = None, **headers: str) -> dict[str, Any]:
        """Return the whole answer."""
        body = {"query": query, "variables": variables or {}}
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        async with httpx2.AsyncClient(timeout=30, trust_env=False) as client:
            return (await client.post(f"{self.url}/graphql", json=body, headers=names)).json()

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Return the log's lines of one event."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    async def logged(self, event: str, times: int = 1) -> list[dict[str, Any]]:
        """Return the log's lines of one event, as soon as there are so many."""
        async with asyncio.timeout(30):
            while True:
                found = self.lines(event)
                if len(found) >= times:
                    return found
                await asyncio.sleep(0.05)


@dataclass
class Graph:
    """A folder with a composed graph and the configuration of a gateway over it."""

    folder: Path
    subgraphs: dict[str, ScriptedSubgraph]
    settings: str = ""
    """More of the configuration file."""
    ownership: str = ""

    def compose(self, schemas: dict[str, str], **urls: str) -> None:
        """Write the supergraph of these schemas, which a running gateway then reloads.

        `urls` are addresses of subgraphs in place of their own. The configuration knows those of its own subgraphs.
        """
        at = {name: each.url for name, each in self.subgraphs.items()} | urls
        sources = [SubgraphSource(name=name, url=at[name], sdl=sdl) for name, sdl in schemas.items()]
        composed = compose(sources)
        assert composed.supergraph_sdl is not None, composed
        draft = self.folder / "supergraph.draft"
        draft.write_text(composed.supergraph_sdl)
        draft.replace(self.folder / "supergraph.graphql")

    @contextmanager
    def serve(self, state: str = "state", **environment: str) -> Iterator[Served]:
        """Run a gateway; its state outlives it under its name."""
        config = self.folder / "concord.toml"
        config.write_text(self.configuration())
        variables = {
            **os.environ,
            "CONCORD_SECRETS__INTERNAL": SECRET,
            "CONCORD_STATE__DIRECTORY": str(self.folder / state),
            **environment,
        }
        log = self.folder / f"{state}-{len(list(self.folder.glob(f'{state}-*.log')))}.log"
        command = [sys.executable, "-m", "gateway.cli.main", "serve", "--config", str(config)]
        with log.open("wb") as output:
            process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=output)
        try:
            assert process.stdout is not None
            url = next((line.split()[1].decode() for line in process.stdout if line.startswith(b"ready ")), None)
            assert url is not None, log.read_text()
            yield Served(url, process, log)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
            process.stdout.close()

    def configuration(self) -> str:
        """Return the configuration file; writes the ownership table that it names."""
        (self.folder / "ownership.toml").write_text(self.ownership)
        lines = [
            "[access]",
            "anonymous = true",
            "[server]",
            "port = 0",
            "[supergraph]",
            f'path = "{self.folder / "supergraph.graphql"}"',
        ]
        lines += ["reload_interval_s = 0.1", f"ownership = {json.dumps(str(self.folder / 'ownership.toml'))}"]
        lines += ["[events]", f'contracts = "{ROOT / "schema/events"}"', 'egress_hosts = ["127.0.0.1:9"]']
        if not self.ownership:
            lines = [line for line in lines if not line.startswith("ownership")] + ["[state]"]
        for name, subgraph in self.subgraphs.items():
            lines += [f"[subgraphs.{name}]", f'url = "{subgraph.url}"', f'schema = "{self.folder / name}.graphql"']
        return "\n".join(lines) + "\n" + self.settings


@pytest.fixture
async def graph(tmp_path: Path) -> AsyncIterator[Graph]:
    """A graph of two subgraphs, `people` and `scores`, that say what the test tells them to."""
    subgraphs = {name: await ScriptedSubgraph().start() for name in ("people", "scores")}
    yield Graph(tmp_path, subgraphs)
    for each in subgraphs.values():
        await each.stop()
