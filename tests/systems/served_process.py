"""Runs a program as its own process until the test is over, and ends exactly that process."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2

ROOT = Path(__file__).parents[2]


@dataclass(slots=True)
class ServedProcess:
    """A server that answers at `url`."""

    process: subprocess.Popen[str]
    url: str
    log: Path

    def stop(self, timeout_s: float = 10.0) -> int:
        """Ask it to stop and return its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self._wait(timeout_s)

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        self._wait(10.0)

    def _wait(self, timeout_s: float) -> int:
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
            raise
        finally:
            if self.process.stdout:
                self.process.stdout.close()


def free_port() -> int:
    """Return a port that nobody listens on, out of those that the kernel gives to nobody who asks for any."""
    while True:
        port = secrets.randbelow(12_000) + 20_000
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def free_ports(count: int) -> list[int]:
    """Return as many different ones."""
    found: set[int] = set()
    while len(found) < count:
        found.add(free_port())
    return list(found)


def serve_module(module: str, folder: Path, settings: Mapping[str, object], timeout_s: float = 20.0) -> ServedProcess:
    """Run `python -m module` of this repository and wait for its `ready http://…` line."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{module}.log"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=ROOT,
            env={**os.environ, **{name: str(value) for name, value in settings.items()}},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith("ready "):
        process.kill()
        process.wait(timeout_s)
        process.stdout.close()
        raise RuntimeError(f"{module} did not start: {line!r} {log.read_text()[-2000:]}")
    return ServedProcess(process, line.removeprefix("ready ").strip(), log)


def serve_program(
    command: Sequence[str], folder: Path, url: str, probe: str, environment: Mapping[str, str], timeout_s: float = 60.0
) -> ServedProcess:
    """Run a program that is not ours and wait until `url + probe` answers anything."""
    log = folder / "served.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            list(command), cwd=folder, env={**os.environ, **environment}, stdout=output, stderr=output, text=True
        )
    served = ServedProcess(process, url, log)
    end = time.monotonic() + timeout_s
    with httpx2.Client(trust_env=False, timeout=5) as http:
        while process.poll() is None and time.monotonic() < end:
            try:
                http.get(url + probe)
            except httpx2.TransportError:
                time.sleep(0.05)
            else:
                return served
    served.kill()
    raise RuntimeError(f"{command[0]} did not start: {log.read_text()[-2000:]}")
