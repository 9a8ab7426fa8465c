"""How each gateway is started: as its makers say, for production, forwarding the Authorization header."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from bench.workplace import PLACE, ROOT, is_installed


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """One gateway's process."""

    name: str
    command: tuple[str, ...]
    directory: Path
    environment: dict[str, str] = field(default_factory=dict)
    path: str = "/graphql"


def concord(port: int) -> Gateway:
    """Concord itself, as `concord serve` runs it."""
    return Gateway(
        name="concord",
        command=(str(Path(sys.executable).parent / "concord"), "serve", "--config", str(PLACE / "concord.toml")),
        directory=ROOT,
        environment={"CONCORD_SERVER__PORT": str(port)},
    )


def apollo_gateway(port: int) -> Gateway:
    """Apollo Gateway on Apollo Server (Node)."""
    return Gateway(
        name="apollo-gateway",
        command=("node", "index.mjs"),
        directory=PLACE / "peers" / "apollo-gateway",
        environment={
            "NODE_ENV": "production",
            "PORT": str(port),
            "SUPERGRAPH": str(PLACE / "supergraph.graphql"),
        },
        path="/",
    )


def hive_gateway(port: int) -> Gateway:
    """Hive Gateway with its JIT (Node)."""
    return _hive("hive-gateway", port, "gateway.config.mjs", "--jit")


def hive_gateway_rust(port: int) -> Gateway:
    """Hive Gateway with the Rust query planner."""
    return _hive("hive-gateway-rust", port, "gateway-rust.config.mjs")


def _hive(name: str, port: int, configuration: str, *options: str) -> Gateway:
    return Gateway(
        name=name,
        command=(
            *("node", "node_modules/.bin/hive-gateway", "supergraph", str(PLACE / "supergraph.graphql")),
            *options,
            *("-c", configuration, "-h", "127.0.0.1", "-p", str(port), "--disable-websockets"),
        ),
        directory=PLACE / "peers" / "hive-gateway",
        environment={"NODE_ENV": "production", "LOG_LEVEL": "error"},
    )


def grafbase(port: int) -> Gateway:
    """Grafbase's native binary (Rust)."""
    directory = PLACE / "peers" / "grafbase"
    binary = next(iter(sorted(directory.glob("node_modules/@grafbase/cli-*/grafbase"))), directory / "grafbase")
    return Gateway(
        name="grafbase",
        command=(
            *(str(binary), "--home", "home", "dev", "-c", "grafbase.toml"),
            *("--listen-address", f"127.0.0.1:{port}"),
        ),
        directory=directory,
        environment={"GRAFBASE_TELEMETRY_DISABLED": "1", "TOKIO_WORKER_THREADS": "1"},
    )


STARTERS = {
    "concord": (concord, None),
    "apollo-gateway": (apollo_gateway, "apollo-gateway"),
    "hive-gateway": (hive_gateway, "hive-gateway"),
    "hive-gateway-rust": (hive_gateway_rust, "hive-gateway"),
    "grafbase": (grafbase, "grafbase"),
}
"""Name → how it is started, and the npm package it comes from."""


def available() -> tuple[str, ...]:
    """Return the names of the gateways that can be started."""
    return tuple(name for name, (_, package) in STARTERS.items() if package is None or is_installed(package))
