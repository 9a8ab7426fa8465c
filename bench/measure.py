"""One row of the benchmark: load on one gateway for some seconds, and what it cost."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.gateways import Gateway
from bench.processes import core_busy_s, cpu, memory_mb, private_mb
from bench.workplace import PLACE


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How a gateway is loaded."""

    query: str
    connections: int
    seconds: float
    is_unique: bool
    """Whether each request has an Authorization header of its own, so that none may share another's fetches."""
    gateway_core: int
    load_core: int
    subgraphs_url: str

    @property
    def body(self) -> Path:
        """The request's body."""
        return PLACE / f"{self.query}.body.json"

    @property
    def tokens(self) -> Path:
        """The file of the tokens that requests have in turn; an empty one where all are alike."""
        return PLACE / ("tokens.txt" if self.is_unique else "no-tokens.txt")

    @property
    def expected(self) -> Any:
        """The answer as JSON."""
        return json.loads((PLACE / f"{self.query}.expected.json").read_bytes())


@dataclass(slots=True, kw_only=True)
class Candidate:
    """A gateway that runs."""

    gateway: Gateway
    port: int
    pid: int
    fetches: int = 0
    """Subgraph requests for one request of the client."""
    keeps_order: bool = False
    """Whether the answer's fields are in the query's order."""

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}{self.gateway.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one round of load showed. Times in milliseconds; CPU per request."""

    cpu: float
    user: float
    system: float
    requests_per_s: float
    requests_per_core_s: float
    p50: float
    p95: float
    p99: float
    fetches: float
    memory_mb: float
    """Resident."""
    private_mb: float
    """Of that, what no other process has as well."""
    failed: int
    """Answers that were broken, refused or wrong."""
    others: float
    """Share of the gateway's core that neighbours took: above 0.15 the latencies say little."""


class WrongAnswer(Exception):  # noqa: N818 - reads as what it is
    """A gateway does not answer what the data say."""


def ask(url: str, body: bytes | None = None) -> bytes:
    """Return the body of one answer."""
    request = urllib.request.Request(url, body, {"content-type": "application/json"} if body else {})
    with urllib.request.urlopen(request, timeout=20) as answer:
        content: bytes = answer.read()
        return content


def check(candidate: Candidate, load: Load, *, patience_s: float = 40) -> None:
    """Wait until the gateway answers, compare its answer and count its fetches. Raises WrongAnswer."""
    body, expected = load.body.read_bytes(), load.expected
    until = time.monotonic() + patience_s
    while True:
        try:
            found = json.loads(ask(candidate.url, body))
            break
        except (OSError, ValueError) as error:
            if time.monotonic() > until:
                raise WrongAnswer(f"it is not up: {error}") from error
            time.sleep(0.25)
    if found != expected:
        raise WrongAnswer(str(found)[:300])
    candidate.keeps_order = json.dumps(found) == json.dumps(expected)
    ask(f"{load.subgraphs_url}/__reset")
    ask(candidate.url, body)
    time.sleep(0.1)
    candidate.fetches = _subgraph_requests(load)


def _subgraph_requests(load: Load) -> int:
    return sum(each[0] for each in json.loads(ask(f"{load.subgraphs_url}/__stats")).values())


def measure(candidate: Candidate, load: Load) -> Row:
    """Load a gateway and return the row. Raises WrongAnswer if answers under load differ from the expected one."""
    sample, other = PLACE / "sample.json", PLACE / "other.json"
    sample.unlink(missing_ok=True)
    other.unlink(missing_ok=True)
    ask(f"{load.subgraphs_url}/__reset")
    cpu_before, core_before = cpu(candidate.pid), core_busy_s(load.gateway_core)
    command = [
        *("taskset", "-c", str(load.load_core), str(PLACE / "load"), str(candidate.port), candidate.gateway.path),
        *(str(load.body), str(load.connections), str(load.seconds), str(load.tokens), str(sample), str(other)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    used = cpu(candidate.pid) - cpu_before
    core = core_busy_s(load.gateway_core) - core_before
    result = json.loads(done.stdout)
    for file in (sample, other):
        if file.exists() and json.loads(file.read_bytes()) != load.expected:
            raise WrongAnswer(f"under load: {file.read_text()[:300]}")
    answers = max(1, result["answers"])
    fetched = _subgraph_requests(load)
    # Requests that the end cut off cost something too; without sharing, their fetches tell how many they were.
    worked_on = fetched / candidate.fetches if load.is_unique and candidate.fetches else answers
    seconds = result["seconds"]
    return Row(
        cpu=used.run / worked_on * 1e3,
        user=used.user / worked_on * 1e3,
        system=used.system / worked_on * 1e3,
        requests_per_s=answers / seconds,
        requests_per_core_s=worked_on / used.run,
        p50=result["p50_us"] / 1e3,
        p95=result["p95_us"] / 1e3,
        p99=result["p99_us"] / 1e3,
        fetches=fetched / answers,
        memory_mb=memory_mb(candidate.pid),
        private_mb=private_mb(candidate.pid),
        failed=result["refused"] + result["broken"],
        others=max(0.0, core - used.run) / seconds,
    )
