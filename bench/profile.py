"""`python -m bench.profile`: a flame graph of Concord under the benchmark's load, and where its time goes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from bench.measure import Load, measure
from bench.processes import ending
from bench.stage import check_ports, start_gateways, start_subgraphs
from bench.workplace import PLACE, Ports, install, write_inputs


def main(
    query: Annotated[str, typer.Option(help="`nested` or `single`.")] = "nested",
    connections: Annotated[int, typer.Option(min=1)] = 50,
    late_ms: Annotated[float, typer.Option(min=0, help="How late the subgraphs answer.")] = 0,
    seconds: Annotated[float, typer.Option(min=1)] = 10.0,
    rate: Annotated[int, typer.Option(help="Samples per second.")] = 997,
    native: Annotated[bool, typer.Option(help="Show C functions as well.")] = False,
    first_port: Annotated[int, typer.Option()] = 14300,
    shown: Annotated[int, typer.Option(help="Functions to list.")] = 40,
) -> None:
    """Write `.concord/bench/profile-<query>.svg` and list the functions that take the most time by themselves."""
    spy = shutil.which("py-spy", path=str(Path(sys.executable).parent))
    if spy is None:
        raise SystemExit("py-spy is missing: pip install --editable '.[bench]'")
    ports = Ports(first=first_port)
    install(peers=False)
    check_ports(ports, 1)
    write_inputs(ports, max_connections=64)
    load = Load(
        query=query,
        connections=connections,
        seconds=seconds + 2,
        is_unique=True,
        gateway_core=0,
        load_core=1,
        subgraphs_url=f"http://127.0.0.1:{ports.subgraphs}",
    )
    raw, svg = PLACE / f"profile-{query}.txt", PLACE / f"profile-{query}.svg"
    with ending() as pids:
        start_subgraphs(ports, pids, core=load.load_core, late_ms=late_ms)
        (concord,) = start_gateways(["concord"], ports, pids, load)
        measure(concord, load)
        options = ["--pid", str(concord.pid), "--duration", f"{seconds:g}", "--rate", str(rate)]
        options += ["--native"] if native else []
        for output, form in ((raw, "raw"), (svg, "flamegraph")):
            command = [spy, "record", *options, "--format", form, "--output", str(output)]
            with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as recording:
                measure(concord, load)
            if recording.returncode:
                raise SystemExit("py-spy may not look into processes here; it needs ptrace rights")
    own: Counter[str] = Counter()
    within: Counter[str] = Counter()
    for line in raw.read_text().splitlines():
        stack, _, samples = line.rpartition(" ")
        count, frames = int(samples), [_short(frame) for frame in stack.split(";")]
        if not any(frame.startswith("Runner.run") for frame in frames):
            continue  # a thread that waits
        own[frames[-1]] += count
        for frame in set(frames):
            within[frame] += count
    total = sum(own.values())
    typer.echo(f"own    with callees  ({total} samples)")
    for frame, samples_of in own.most_common(shown):
        typer.echo(f"{samples_of / total:6.1%} {within[frame] / total:6.1%}  {frame}")
    typer.echo(f"Flame graph: {svg}")


def _short(frame: str) -> str:
    """Cut a frame's line number, so that a function counts once: `collect (gateway/execution/collect.py:12)`."""
    head, separator, line = frame.rpartition(":")
    return head + ")" if separator and line.rstrip(")").isdigit() else frame


if __name__ == "__main__":
    typer.run(main)
