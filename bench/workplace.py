"""Where the benchmark's tools live, and how they get there: `.concord/bench`, never committed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.tokens import AUDIENCE, ISSUER, write_tokens
from gateway.federation.composition import SubgraphSource, compose

ROOT = Path(__file__).parents[1]
SOURCE = Path(__file__).parent
PLACE = ROOT / ".concord" / "bench"
SUBGRAPHS = ("accounts", "inventory", "products", "reviews")
PEERS = ("apollo-gateway", "hive-gateway", "grafbase")
QUERIES = ("nested", "single")
SINGLE_ANSWER = {"data": {"me": {"id": "1", "username": "ada_l", "name": "Ada Lovelace-12"}}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The loopback ports of one run, counted up from the first."""

    first: int

    @property
    def subgraphs(self) -> int:
        """Of the fast front that answers fetches."""
        return self.first

    @property
    def backend(self) -> int:
        """Of the real subgraphs behind it."""
        return self.first + 1

    def gateway(self, index: int) -> int:
        """Of the gateway at an index."""
        return self.first + 2 + index


def install(peers: bool = True) -> None:
    """Install what is missing: the C programs, the subgraphs' packages, the peers'. Exits with a sentence on failure."""
    wanted = ["gcc", "node", "npm", "taskset"]
    missing = [program for program in wanted if shutil.which(program) is None]
    if missing:
        sys.exit(f"The benchmark needs {', '.join(missing)}; on Debian: apt-get install gcc nodejs npm util-linux")
    PLACE.mkdir(parents=True, exist_ok=True)
    install_tools()
    _install_package("subgraphs")
    for peer in PEERS if peers else ():
        _install_package(f"peers/{peer}")


def install_tools() -> None:
    """Build the C programs, where they are missing or older than their source."""
    PLACE.mkdir(parents=True, exist_ok=True)
    _build("load", SOURCE / "load.c")
    _build("paced", SOURCE / "paced.c")
    _build("fastsub", SOURCE / "subgraphs" / "fastsub.c")


def _build(name: str, source: Path) -> None:
    target = PLACE / name
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        subprocess.run(["gcc", "-O2", "-Wall", "-o", target, source], check=True)


def _install_package(name: str) -> None:
    source, target = SOURCE / name, PLACE / name
    target.mkdir(parents=True, exist_ok=True)
    wanted = (source / "package.json").read_bytes()
    stamp = target / ".installed"
    shutil.copytree(source, target, dirs_exist_ok=True)
    if stamp.exists() and stamp.read_bytes() == wanted:
        return
    print(f"Installing {name} from npm…", flush=True)
    command = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]
    if subprocess.run(command, cwd=target, check=False).returncode:
        print(f"  {name} can't be installed here and is left out.", flush=True)
        return
    stamp.write_bytes(wanted)


def is_installed(peer: str) -> bool:
    """Tell whether a peer can be started."""
    return (PLACE / "peers" / peer / ".installed").exists()


def write_inputs(ports: Ports, *, max_connections: int) -> None:
    """Write what gateways and load read: the supergraph, configurations, request bodies and expected answers."""
    urls = {name: f"http://127.0.0.1:{ports.subgraphs}/{name}" for name in SUBGRAPHS}
    sources = [
        SubgraphSource(name=name, url=urls[name], sdl=(SOURCE / "subgraphs" / f"{name}.graphql").read_text())
        for name in SUBGRAPHS
    ]
    supergraph = compose(sources).supergraph_sdl
    assert supergraph is not None
    (PLACE / "supergraph.graphql").write_text(supergraph)
    write_tokens(PLACE / "tokens.txt", PLACE / "keys.json")
    (PLACE / "no-tokens.txt").write_text("")
    (PLACE / "concord.toml").write_text(_concord_settings(urls, max_connections))
    (PLACE / "peers" / "grafbase").mkdir(parents=True, exist_ok=True)
    (PLACE / "peers" / "grafbase" / "grafbase.toml").write_text(_grafbase_settings(urls))
    for query in QUERIES:
        document = (SOURCE / "queries" / f"{query}.graphql").read_text()
        (PLACE / f"{query}.body.json").write_text(json.dumps({"query": document}))
    nested = subprocess.run(["node", SOURCE / "subgraphs" / "expected.js"], check=True, capture_output=True).stdout
    (PLACE / "nested.expected.json").write_bytes(nested)
    (PLACE / "single.expected.json").write_text(json.dumps(SINGLE_ANSWER))


def _concord_settings(urls: dict[str, str], max_connections: int) -> str:
    lines = [
        "[server]",
        'host = "127.0.0.1"',
        "[state]",
        f'directory = "{PLACE / "state"}"',
        "[supergraph]",
        f'path = "{PLACE / "supergraph.graphql"}"',
        "[access]",
        "anonymous = true",
        "[access.issuers.bench]",
        f'issuer = "{ISSUER}"',
        f'audience = ["{AUDIENCE}"]',
        'algorithms = ["Ed25519"]',
        f'jwks = "{PLACE / "keys.json"}"',
        "[events]",
        f'contracts = "{ROOT / "schema" / "events"}"',
    ]
    for name, url in urls.items():
        lines += [
            f"[subgraphs.{name}]",
            f'url = "{url}"',
            f'schema = "{PLACE / "subgraphs" / name}.graphql"',
            f"max_connections = {max_connections}",
            'forward_headers = ["authorization"]',
        ]
    return "\n".join(lines) + "\n"


def _grafbase_settings(urls: dict[str, str]) -> str:
    lines = []
    for name, url in urls.items():
        schema = os.path.relpath(PLACE / "subgraphs" / f"{name}.graphql", PLACE / "peers" / "grafbase")
        lines += [f"[subgraphs.{name}]", f'url = "{url}"', f'schema_path = "{schema}"']
    lines += ["[[headers]]", 'rule = "forward"', 'name = "authorization"']
    return "\n".join(lines) + "\n"
