"""`python -m bench`: install what is missing, start every gateway, load them in turn, print what they cost."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from bench.gateways import STARTERS, available
from bench.measure import Load, Row, measure
from bench.processes import core_busy_s, ending
from bench.report import medians, print_report, read_results, write_results
from bench.stage import check_ports, start_gateways, start_subgraphs
from bench.workplace import PLACE, Ports, install, write_inputs


def main(
    query: Annotated[str, typer.Option(help="`nested`: six fetches, 87 KB; `single`: one fetch.")] = "nested",
    connections: Annotated[int, typer.Option(min=1)] = 50,
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    seconds: Annotated[float, typer.Option(min=0.5)] = 5.0,
    warm_s: Annotated[float, typer.Option(help="Load on each gateway before the first round.")] = 3.0,
    late_ms: Annotated[float, typer.Option(help="Every subgraph's answer comes so much later.")] = 0.0,
    only: Annotated[str, typer.Option(help="Gateways to run, separated by commas.")] = "",
    shared: Annotated[bool, typer.Option(help="All requests have the same credentials and may share fetches.")] = False,
    calm_s: Annotated[float, typer.Option(help="How long a row may wait for a calm machine.")] = 20.0,
    gateway_core: Annotated[int, typer.Option()] = 0,
    load_core: Annotated[int, typer.Option()] = 1,
    first_port: Annotated[int, typer.Option()] = 14200,
    max_connections: Annotated[int, typer.Option(help="Concord's connections to each subgraph.")] = 64,
    results: Annotated[Path | None, typer.Option(help="Where the figures go; compared with what is there.")] = None,
) -> None:
    """Measure gateways against each other on this machine: loopback only, one core each, rounds interleaved."""
    ports = Ports(first=first_port)
    names = only.split(",") if only else list(STARTERS)
    install(peers=any(name != "concord" for name in names))
    names = [name for name in names if name in available()]
    check_ports(ports, len(names))
    write_inputs(ports, max_connections=max_connections)
    load = Load(
        query=query,
        connections=connections,
        seconds=seconds,
        is_unique=not shared,
        gateway_core=gateway_core,
        load_core=load_core,
        subgraphs_url=f"http://127.0.0.1:{ports.subgraphs}",
    )
    with ending() as pids:
        start_subgraphs(ports, pids, core=load_core, late_ms=late_ms)
        candidates = start_gateways(names, ports, pids, load)
        rows: dict[str, list[Row]] = {each.gateway.name: [] for each in candidates}
        for each in candidates:
            measure(each, replace(load, seconds=warm_s))
        for number in range(rounds):
            for each in candidates:
                _wait_for_calm((gateway_core, load_core), calm_s)
                row = measure(each, load)
                rows[each.gateway.name].append(row)
                typer.echo(
                    f"  round {number + 1} {each.gateway.name:18} {row.cpu:8.3f} ms CPU {row.requests_per_s:8.0f} req/s "
                    f"p99 {row.p99:8.1f} ms, {row.others:.0%} of the core taken by others"
                )
    path = results or PLACE / "results" / f"{query}-{connections}-{late_ms:g}ms{'-shared' if shared else ''}.json"
    title = f"{query} query, {connections} connections, {rounds} x {seconds:g} s, subgraphs {late_ms:g} ms late"
    medians_of = {name: medians(each) for name, each in rows.items()}
    print_report(title, candidates, medians_of, read_results(path), path.with_suffix(".svg"))
    options = {"query": query, "connections": connections, "seconds": seconds, "late_ms": late_ms, "shared": shared}
    write_results(path, options, rows)


def _wait_for_calm(cores: tuple[int, ...], patience_s: float) -> None:
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        before = [core_busy_s(core) for core in cores]
        time.sleep(0.5)
        if all(core_busy_s(core) - busy < 0.06 for core, busy in zip(cores, before, strict=True)):
            return


if __name__ == "__main__":
    typer.run(main)
