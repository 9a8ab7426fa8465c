"""Start what docker-compose.yml lays out, as processes of this machine instead of containers.

Each service of our own image is its own command with its own environment, in a folder where its volume is `.concord`. Only
addresses differ: `crm-1:4002` becomes a free port of 127.0.0.1. Redis and Postgres are this machine's.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import httpx2
import yaml
from postgres import started_postgres
from redis_process import redis_process
from served_process import free_ports

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
OURS = [name for name, service in SERVICES.items() if service["image"] == "concord:local"]
SECRET = re.compile(r"\$\{(\w+):\?\}")
ADDRESS = re.compile(r"//([a-z]+(?:-[a-z0-9]+)*):\d+")
HEALTH = re.compile(r"127\.0\.0\.1:\d+(/\w+)")
READY_WITHIN_S = 120


@dataclass
class Composition:
    """The services' processes and where they answer."""

    folder: Path
    ports: dict[str, int]
    environment: Mapping[str, str]
    """Further variables, for whichever service knows them."""
    postgres_url: str
    processes: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.ports[service]}"

    def start(self, *services: str) -> None:
        """Start services beside each other, and return once all are healthy."""
        for service in services:
            self._spawn(service)
        for service in services:
            self._wait_until_ready(service)

    def kill(self, service: str) -> None:
        """End it as a power cut does."""
        process = self.processes.pop(service)
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def lose_disk(self, service: str) -> None:
        """Let a killed service come back with an empty volume, as on another machine."""
        shutil.rmtree(self.folder / "volumes" / self._volume(service))
        (self.folder / "volumes" / self._volume(service)).mkdir()

    def stop(self) -> None:
        """End all as `docker compose stop` does."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()

    def log(self, service: str) -> str:
        return (self.folder / f"{service}.log").read_text()

    def token(self, gateway: str, *options: str) -> str:
        """Return a token that this gateway takes, as `concord access token ada` makes it there."""
        made = subprocess.run(
            [sys.executable, "-m", "gateway.cli.main", "access", "token", "ada", *options],
            cwd=self.folder / gateway,
            env={**os.environ, "PYTHONPATH": str(ROOT), **self._variables(gateway)},
            capture_output=True,
            text=True,
            check=True,
        )
        return made.stdout.strip()

    def _spawn(self, service: str) -> None:
        place = self.folder / service
        if not place.exists():
            place.mkdir()
            (place / "schema").symlink_to(ROOT / "schema")
            volume = self.folder / "volumes" / self._volume(service)
            volume.mkdir(parents=True, exist_ok=True)
            (place / ".concord").symlink_to(volume)
        command = SERVICES[service]["command"]
        if command[0] == "concord":
            command = ["python", "-m", "gateway.cli.main", *command[1:]]
        with (self.folder / f"{service}.log").open("a") as log:
            self.processes[service] = subprocess.Popen(
                [sys.executable, *command[1:]],
                cwd=place,
                env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **self._variables(service)},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def _wait_until_ready(self, service: str) -> None:
        process = self.processes[service]
        assert process.stdout is not None
        if not any(line.startswith("ready ") for line in process.stdout):
            raise AssertionError(f"{service} ended with {process.wait()}:\n{self.log(service)}")
        (path,) = HEALTH.findall(SERVICES[service]["healthcheck"]["test"][-1])
        deadline = time.monotonic() + READY_WITHIN_S
        while httpx2.get(f"{self.url(service)}{path}", trust_env=False, timeout=60).status_code != 200:
            assert time.monotonic() < deadline, f"{service} is not well:\n{self.log(service)}"
            time.sleep(0.2)

    @staticmethod
    def _volume(service: str) -> str:
        volumes = SERVICES[service].get("volumes", [f"{service}:/concord/.concord"])
        (volume,) = volumes
        name, place = volume.split(":")
        assert place == "/concord/.concord"
        return name

    def _variables(self, service: str) -> dict[str, str]:
        variables = {name: str(value) for name, value in SERVICES[service]["environment"].items()}
        prefixes = {name.removesuffix("HOST") for name in variables if name.endswith("HOST")}
        variables |= {
            name: value for name, value in self.environment.items() if any(name.startswith(each) for each in prefixes)
        }
        for name, value in variables.items():
            text = SECRET.sub(lambda match: self.secrets.setdefault(match[1], secrets.token_hex(16)), value)
            if text.startswith("postgresql://"):
                variables[name] = self.postgres_url
                continue
            text = ADDRESS.sub(lambda match: f"//127.0.0.1:{self.ports[match[1]]}", text)
            if name.endswith(("_PORT", "__PORT")):
                text = str(self.ports[service])
            if name.endswith("HOST"):
                text = "127.0.0.1"
            variables[name] = text
        if service.startswith("gateway"):
            variables["CONCORD_SERVER__PORT"] = str(self.ports[service])
        return variables


@contextmanager
def composed(folder: Path, **environment: str) -> Iterator[Composition]:
    """Start everything, each service after those that it waits for, and stop it at the end."""
    names = [*OURS, "redis"]
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    with ExitStack() as stack:
        stack.enter_context(redis_process(folder, *SERVICES["redis"]["command"][1:], port=ports["redis"]))
        postgres_url = stack.enter_context(started_postgres())
        composition = Composition(folder, ports, environment, postgres_url)
        stack.callback(composition.stop)
        order = TopologicalSorter({name: SERVICES[name].get("depends_on", {}).keys() for name in OURS})
        order.prepare()
        began = time.monotonic()
        while order.is_active():
            ready = order.get_ready()
            composition.start(*(name for name in ready if name in OURS))
            order.done(*ready)
        assert time.monotonic() - began < READY_WITHIN_S
        yield composition
