"""A real door for the tests: a server process with the small library behind it, and how to speak to it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

LIBRARY = Path(__file__).parent / "library" / "serve.py"


@dataclass(frozen=True, slots=True)
class Process:
    """A running server."""

    url: str
    pid: int
    process: subprocess.Popen[str]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def graphql(self) -> str:
        return f"{self.url}/graphql"

    @property
    def websocket(self) -> str:
        return f"ws://127.0.0.1:{self.port}/graphql"

    def memory_bytes(self) -> int:
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * 4096


Start = Callable[..., Process]


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start a server with options of `library/serve.py`; ended with the session."""
    running: list[subprocess.Popen[str]] = []
    logs: list[Path] = []

    def start(*options: str) -> Process:
        logs.append(tmp_path_factory.mktemp("server") / "stderr")
        errors = logs[-1].open("w")
        process = subprocess.Popen(
            [sys.executable, str(LIBRARY), *options], stdout=subprocess.PIPE, stderr=errors, text=True
        )
        errors.close()
        running.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("ready "), f"the server did not start; see {errors.name}"
        return Process(line.removeprefix("ready ").strip(), process.pid, process)

    yield start
    for process in running:
        process.terminate()
    for process in running:
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()
    for log in logs:
        assert "Traceback" not in log.read_text(), "a server failed in a way nobody foresaw"


@pytest.fixture(scope="session")
def door(start: Start) -> Process:
    """A server in the development policy."""
    return start()


@pytest.fixture
async def http() -> httpx2.AsyncClient:
    async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
        yield client
