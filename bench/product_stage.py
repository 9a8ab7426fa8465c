"""The whole product on free ports, started by its own command, and what each of its processes has used."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx2

from bench.processes import cpu_alone, family, memory_mb, private_mb
from bench.workplace import ROOT

_SANDBOX = "sandboxes"
STARTS_WITHIN_S = 180


@dataclass(frozen=True, slots=True)
class Product:
    """A running `concord up`."""

    pid: int
    ports: Mapping[str, int]
    """`server` is the gateway's."""
    state: Path

    @property
    def url(self) -> str:
        """Where the gateway answers."""
        return f"http://127.0.0.1:{self.ports['server']}"

    @property
    def secret(self) -> str:
        """What signs calls between the product's processes."""
        found: str = json.loads((self.state / "secrets.json").read_text())["internal"]
        return found

    def used_s(self) -> dict[str, float]:
        """Return the processor time of each process so far: gateway, subgraphs, the sandboxes together."""
        used: dict[str, float] = {}
        for pid in family(self.pid):
            name = _name(pid)
            if name is not None:
                used[name] = used.get(name, 0.0) + cpu_alone(pid)
        return used

    def gateway_memory_mb(self) -> tuple[float, float]:
        """Return the gateway's resident memory, and what of it no other process shares."""
        (pid,) = (each for each in family(self.pid) if _name(each) == "gateway")
        return memory_mb(pid), private_mb(pid)

    def vendor_requests(self) -> int:
        """Return how many requests the sandboxes have had so far."""
        total = 0
        for name, port in self.ports.items():
            if name.endswith("-sandbox"):
                answer = httpx2.get(f"http://127.0.0.1:{port}/__sandbox/requests", trust_env=False)
                total += answer.raise_for_status().json()["total"]
        return total


def _name(pid: int) -> str | None:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return None
    module = next((word for word in words if word.startswith("subgraphs.")), None)
    if module is not None:
        return _SANDBOX if module.endswith(".sandbox") else module.split(".")[1]
    return "gateway" if "gateway.cli.worker" in words else None


@contextlib.contextmanager
def product(folder: Path, *, customers: int, ownership: str) -> Iterator[Product]:
    """Start the product with its state in the folder and this ownership table, and stop it at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ownership.toml").write_text(ownership)
    config, ports = _configuration(folder)
    command = [sys.executable, "-m", "gateway.cli.main", "up", "--config", str(config), "--fresh"]
    command += ["--customers", str(customers)]
    with (folder / "up.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, env=dict(os.environ))
    running = Product(process.pid, ports, folder / "state")
    try:
        _wait(running, process, folder / "up.log")
        yield running
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _configuration(folder: Path) -> tuple[Path, dict[str, int]]:
    text = (ROOT / "schema/concord.toml").read_text()
    for port in re.findall(r"^port = (\d+)$", text, re.MULTILINE):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            text = re.sub(rf"\b{port}\b", str(probe.getsockname()[1]), text)
    text = text.replace('directory = ".concord"', f"directory = {json.dumps(str(folder / 'state'))}")
    text = text.replace('"schema/ownership.toml"', json.dumps(str(folder / "ownership.toml")))
    config = folder / "concord.toml"
    config.write_text(text)
    named = re.findall(r"^\[(?:processes\.)?([\w-]+)\]$(?:\n(?!\[).*)*?\nport = (\d+)", text, re.MULTILINE)
    return config, {name: int(port) for name, port in named}


def _wait(running: Product, process: subprocess.Popen[bytes], log: Path) -> None:
    query = {"query": "{ customers(first: 1, filter: { overdue: true }) { totalCount } }"}
    until = time.monotonic() + STARTS_WITHIN_S
    while True:
        if process.poll() is not None or time.monotonic() > until:
            raise SystemExit(f"the product does not start; see {log}")
        with contextlib.suppress(httpx2.TransportError):
            answer = httpx2.post(f"{running.url}/graphql", json=query, trust_env=False, timeout=40).json()
            if ((answer.get("data") or {}).get("customers") or {}).get("totalCount"):
                return
        time.sleep(0.3)
