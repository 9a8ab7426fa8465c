"""`python -m bench.scale`: how a request's processor time grows with each thing that can grow, and how memory does."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console

from bench.chart import curves
from bench.figures import compare_and_keep
from bench.planning import exponent
from bench.processes import cpu_alone, memory_mb
from bench.scale_graph import FIELDS, ROWS, SUBGRAPHS, Answers, write_graph
from bench.scale_load import connect, dawdle, load, request
from bench.scale_workers import measure_workers
from bench.workplace import PLACE, ROOT

_BAR = 40
_ROWS = "query($n:Int!){rows(n:$n){id text}}"
_ITEMS = "query($n:Int!){items(n:$n){id value}}"


@dataclass(frozen=True, slots=True)
class Point:
    """One size."""

    size: int
    cpu_ms: float
    """Of the gateway, per request."""
    memory_mb: float


@dataclass(frozen=True, slots=True)
class Axis:
    """One thing that grows."""

    name: str
    sizes: tuple[int, ...]
    contents: Callable[[int, int], list[bytes]]
    """Port and size → the requests sent in turn."""
    connections: Callable[[int], int] = lambda _size: 4


AXES = (
    Axis("answer, KB", (1, 10, 100, 1_000, 10_000), lambda port, n: [request(port, _ROWS, n)]),
    Axis("entities per fetch", (1, 10, 100, 1_000, 10_000), lambda port, n: [request(port, _ITEMS, n)]),
    Axis("fields", (3, 10, 30, 100, FIELDS), lambda port, n: [request(port, f"{{wide{{{_fields(n)}}}}}")]),
    Axis("subgraphs", (3, 10, 30, 100, SUBGRAPHS), lambda port, n: [request(port, f"{{user{{{_fields(n)}}}}}")]),
    Axis("connections", (1, 10, 100, 1_000, 5_000), lambda port, _n: [request(port, "{user{id}}")], lambda n: n),
    Axis("plans in cache", (1, 10, 100, 1_000, 2_000), lambda port, n: [request(port, _plan(at)) for at in range(n)]),
)


def _fields(count: int) -> str:
    return " ".join(f"f{number}" for number in range(count))


def _plan(number: int) -> str:
    return f"query Q{number}{{user{{id}}}}"


def main(
    only: Annotated[str, typer.Option(help="Axes to measure, separated by commas: a part of the name does.")] = "",
    seconds: Annotated[float, typer.Option(help="Processor time to gather for each size.")] = 0.6,
    slow_clients: Annotated[int, typer.Option(help="Clients that read 1 kB/s of a 10 MB answer; 0: none.")] = 200,
    slow_s: Annotated[float, typer.Option(help="For how long they do.")] = 15.0,
    workers: Annotated[int, typer.Option(help="Workers behind one port, at most; 0: leave that out.")] = 2,
) -> None:
    """Start a gateway over 202 subgraphs and print how the cost of a request grows; 1.0 is linear."""
    axes = [axis for axis in AXES if _is_wanted(axis, only)]
    asyncio.run(_run(axes, seconds, slow_clients, slow_s, workers))


def _is_wanted(axis: Axis, only: str) -> bool:
    return not only or any(part.strip() in axis.name for part in only.split(","))


async def _run(axes: Sequence[Axis], seconds: float, slow_clients: int, slow_s: float, workers: int) -> None:
    console = Console(width=110, highlight=False)
    server = await asyncio.get_running_loop().create_server(Answers, "127.0.0.1", 0, backlog=4_096)
    folder = PLACE / "scale"
    config = write_graph(folder, server.sockets[0].getsockname()[1])
    command = (sys.executable, "-m", "gateway.cli.main", "serve", "--config", str(config))
    figures: dict[str, dict[str, float]] = {}
    series: dict[str, list[tuple[float, float]]] = {}
    with (folder / "gateway.log").open("wb") as log:
        gateway = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=log)
    try:
        assert gateway.stdout is not None
        line = (await gateway.stdout.readline()).decode()
        if not line.startswith("ready "):
            raise SystemExit(f"the gateway does not start; see {folder / 'gateway.log'}")
        port = int(line.rpartition(":")[2])
        for axis in axes:
            points = [await _measure(gateway.pid, port, axis, size, seconds) for size in axis.sizes]
            _draw(console, axis, points)
            series[axis.name] = [(point.size, point.cpu_ms) for point in points]
            for point in points:
                figures[f"{axis.name} {point.size}"] = {"CPU ms": point.cpu_ms, "MB": point.memory_mb}
        if slow_clients:
            for name, contents in _slow_contents(port, slow_clients):
                figures[name] = await _measure_slow(console, gateway.pid, port, contents, slow_s, name)
    finally:
        gateway.send_signal(signal.SIGTERM)
        await gateway.wait()
    if workers:
        figures |= await measure_workers(console, config, _ROWS, 100, most=workers, seconds=max(2.0, 5 * seconds))
    server.close()
    if series:
        chart = PLACE / "results/scale.svg"
        curves(chart, "CPU per request (dashed: linear)", series, unit="ms")
        console.print(f"Chart: {chart}")
    compare_and_keep(PLACE / "results/scale.json", {"seconds": seconds}, figures, watched="CPU ms")


async def _measure(pid: int, port: int, axis: Axis, size: int, seconds: float) -> Point:
    contents = axis.contents(port, size)
    clients = [await connect(port) for _ in range(axis.connections(size))]
    try:
        # Everybody once before it counts: connections are served and plans are made.
        least = max(len(contents), len(clients), 3)
        await load(clients, contents, least)
        done, before = 0, cpu_alone(pid)
        while done == 0 or (used := cpu_alone(pid) - before) < seconds:
            await load(clients, contents, least)
            done += least
        return Point(size, used / done * 1e3, memory_mb(pid))
    finally:
        for client in clients:
            client.writer.transport.abort()


def _slow_contents(port: int, count: int) -> Sequence[tuple[str, list[bytes]]]:
    """Return what so many clients ask for at the same moment: all the same, and each its own."""
    return (
        ("slow clients, one fetch for all", [request(port, _ROWS, ROWS)] * count),
        ("slow clients, each its own fetch", [request(port, _ROWS, ROWS - number) for number in range(count)]),
    )


async def _measure_slow(
    console: Console, pid: int, port: int, contents: Sequence[bytes], seconds: float, name: str
) -> dict[str, float]:
    """Let many clients ask for 10 MB and hardly read; others are answered meanwhile."""
    small = request(port, _ROWS, 1)
    client = await connect(port, limit=1 << 24)
    await client.ask(contents[0])
    before = peak = memory_mb(pid)
    loop = asyncio.get_running_loop()
    slowest = 0.0

    async def watch() -> None:
        nonlocal peak
        while True:
            peak = max(peak, await asyncio.to_thread(memory_mb, pid))
            await asyncio.sleep(0.1)

    watching = asyncio.create_task(watch())
    reading = [asyncio.create_task(dawdle(port, content, 1_000, seconds)) for content in contents]
    while not all(each.done() for each in reading):
        began = loop.time()
        await client.ask(small)
        slowest = max(slowest, loop.time() - began)
        await asyncio.sleep(0.2)
    read = sum(await asyncio.gather(*reading))
    watching.cancel()
    client.writer.transport.abort()
    await asyncio.sleep(1)
    after = memory_mb(pid)
    console.print(f"[bold]{len(contents)} {name}: 1 kB/s of 10 MB each, for {seconds:g} s[/bold]")
    console.print(
        f"  memory {before:.0f} MB before, {peak:.0f} MB at most, {after:.0f} MB after; {read} bytes were read"
    )
    console.print(f"  the slowest of the other answers took {slowest * 1e3:.0f} ms\n")
    return {"MB before": before, "MB at most": peak, "MB after": after, "slowest other ms": slowest * 1e3}


def _draw(console: Console, axis: Axis, points: Sequence[Point]) -> None:
    slope = exponent([(point.size, point.cpu_ms) for point in points[len(points) // 2 :]])
    told = "" if slope is None else f", exponent {slope:.2f} over the larger half"
    console.print(f"[bold]{axis.name}{told}[/bold]")
    longest = max(point.cpu_ms for point in points)
    for point in points:
        bar = "█" * max(1, round(point.cpu_ms / longest * _BAR))
        each = f"{point.cpu_ms / point.size * 1e3:8.2f} µs each"
        console.print(f"  {point.size:7} {point.cpu_ms:9.3f} ms {each} {point.memory_mb:5.0f} MB {bar}")
    console.print()


if __name__ == "__main__":
    typer.run(main)
