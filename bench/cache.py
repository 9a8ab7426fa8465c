"""`python -m bench.cache`: what a request costs whose entities are not kept, are read to be kept, or are kept.

The public benchmark's nested query over the same subgraphs, with an ownership table that lets every entity be kept for
all. A request without `cache-control` is answered with what is kept; `no-cache` has everything read and kept anew, and
`no-store` goes past the cache.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from bench.figures import compare_and_keep
from bench.gateways import concord
from bench.measure import Candidate, Load, WrongAnswer, ask, check
from bench.processes import cpu, ending, memory_mb, start
from bench.stage import check_ports, start_subgraphs
from bench.workplace import PLACE, SUBGRAPHS, Ports, install, write_inputs

STATES: Mapping[str, str] = {"off": "cache-control: no-store", "cold": "cache-control: no-cache", "hot": ""}
"""State of the cache → the header that brings it about."""
_TYPES = ("User", "Product", "Review")


def main(
    connections: Annotated[int, typer.Option(min=1)] = 50,
    seconds: Annotated[float, typer.Option(min=0.5)] = 4.0,
    rounds: Annotated[int, typer.Option(min=1)] = 3,
    first_port: Annotated[int, typer.Option()] = 14300,
) -> None:
    """Measure the entity cache: CPU of the gateway per request, fetches, and latency."""
    ports = Ports(first=first_port)
    install(peers=False)
    check_ports(ports, 1)
    write_inputs(ports, max_connections=64)
    _let_be_kept()
    load = Load(
        query="nested",
        connections=connections,
        seconds=seconds,
        is_unique=True,
        gateway_core=0,
        load_core=(os.cpu_count() or 1) - 1,
        subgraphs_url=f"http://127.0.0.1:{ports.subgraphs}",
    )
    figures: dict[str, dict[str, float]] = {}
    with ending() as pids:
        start_subgraphs(ports, pids, core=load.load_core, late_ms=0)
        gateway = concord(ports.gateway(0))
        log = PLACE / "logs" / "cache.log"
        environment = {**gateway.environment, "CONCORD_SUPERGRAPH__OWNERSHIP": str(_OWNERSHIP)}
        pid = start(gateway.command, core=0, directory=gateway.directory, environment=environment, log=log)
        pids.append(pid)
        candidate = Candidate(gateway=gateway, port=ports.gateway(0), pid=pid)
        check(candidate, load)
        _load(candidate, replace(load, seconds=2.0), "")
        rows: dict[str, list[dict[str, float]]] = {state: [] for state in STATES}
        for _ in range(rounds):
            for state, header in STATES.items():
                rows[state].append(_load(candidate, load, header))
        for state, measured in rows.items():
            figures[state] = {name: sorted(row[name] for row in measured)[len(measured) // 2] for name in measured[0]}
    _print(figures, connections)
    options = {"connections": connections, "seconds": seconds}
    compare_and_keep(PLACE / "results" / "cache.json", options, figures, watched="CPU ms")


_OWNERSHIP = PLACE / "ownership.toml"


def _let_be_kept() -> None:
    kept = "\n".join(f'cache.{each} = {{ ttl_s = 3600, scope = "public" }}' for each in _TYPES)
    _OWNERSHIP.write_text("\n".join(f'[systems.{name}]\nteam = "bench"\n{kept}\n' for name in SUBGRAPHS))


def _load(candidate: Candidate, load: Load, header: str) -> dict[str, float]:
    """Load the gateway for some seconds. Raises WrongAnswer."""
    sample, other = PLACE / "sample.json", PLACE / "other.json"
    sample.unlink(missing_ok=True)
    other.unlink(missing_ok=True)
    ask(f"{load.subgraphs_url}/__reset")
    before = cpu(candidate.pid)
    command = [
        *("taskset", "-c", str(load.load_core), str(PLACE / "load"), str(candidate.port), candidate.gateway.path),
        *(str(load.body), str(load.connections), str(load.seconds), str(load.tokens), str(sample), str(other), header),
    ]
    result = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    used = cpu(candidate.pid) - before
    for file in (sample, other):
        if file.exists() and json.loads(file.read_bytes()) != load.expected:
            raise WrongAnswer(file.read_text()[:300])
    answers = max(1, result["answers"])
    fetched = sum(each[0] for each in json.loads(ask(f"{load.subgraphs_url}/__stats")).values())
    return {
        "CPU ms": used.run / answers * 1e3,
        "fetches": fetched / answers,
        "requests/s": answers / result["seconds"],
        "p50 ms": result["p50_us"] / 1e3,
        "p99 ms": result["p99_us"] / 1e3,
        "MB": memory_mb(candidate.pid),
    }


def _print(figures: Mapping[str, Mapping[str, float]], connections: int) -> None:
    table = Table("entities kept", *next(iter(figures.values())), title=f"nested query, {connections} connections")
    for state, row in figures.items():
        table.add_row(state, *(f"{value:.3f}" if name == "CPU ms" else f"{value:.1f}" for name, value in row.items()))
    Console(width=120, highlight=False).print(table)


if __name__ == "__main__":
    typer.run(main)
