"""What a second worker behind the same port is good for: requests a second, and whether each of them costs more."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.processes import cpu_alone, memory_mb, private_mb
from bench.scale_load import connect, load, request
from bench.workplace import ROOT
from gateway.cli.worker_process import worker_command

_CONNECTIONS = 32
_BATCH = 500


async def measure_workers(
    console: Console, config: Path, query: str, size: int, *, most: int, seconds: float
) -> dict[str, dict[str, float]]:
    """Print a row for each number of workers up to `most`; return their figures.

    The workers are those of `concord serve --workers`, each with stores of its own: none of these are on the way of a
    query, and so no Redis and Postgres are needed here.
    """
    table = Table(title="Workers behind one port", title_justify="left")
    for heading in ("workers", "requests/s", "times one", "CPU ms/request", "of one", "MB each", "own MB each"):
        table.add_column(heading, justify="right")
    rows: dict[str, dict[str, float]] = {}
    first: dict[str, float] = {}
    for count in range(1, most + 1):
        async with _workers(config, count) as (port, pids):
            clients = [await connect(port, limit=1 << 24) for _ in range(_CONNECTIONS)]
            contents = [request(port, query, size)]
            await load(clients, contents, _BATCH)
            before, began, done = sum(map(cpu_alone, pids)), time.perf_counter(), 0
            while time.perf_counter() - began < seconds:
                await load(clients, contents, _BATCH)
                done += _BATCH
            took, used = time.perf_counter() - began, sum(map(cpu_alone, pids)) - before
            told = {
                "requests/s": done / took,
                "CPU ms": used / done * 1e3,
                "MB each": sum(map(memory_mb, pids)) / count,
                "own MB each": sum(map(private_mb, pids)) / count,
            }
            for client in clients:
                client.writer.transport.abort()
        first = first or told
        rows[f"workers {count}"] = told
        table.add_row(
            str(count),
            f"{told['requests/s']:.0f}",
            f"{told['requests/s'] / first['requests/s']:.2f}",
            f"{told['CPU ms']:.3f}",
            f"{told['CPU ms'] / first['CPU ms']:.2f}",
            f"{told['MB each']:.0f}",
            f"{told['own MB each']:.0f}",
        )
    console.print(table)
    console.print(f"  {os.cpu_count()} cores, which the load and the subgraph use as well\n")
    return rows


@asynccontextmanager
async def _workers(config: Path, count: int) -> AsyncIterator[tuple[int, list[int]]]:
    """Yield the port and the process ids of so many workers."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        workers: list[asyncio.subprocess.Process] = []
        try:
            for number in range(count):
                environment = {
                    **os.environ,
                    "CONCORD_SERVER__PORT": str(port),
                    "CONCORD_STATE__DIRECTORY": str(config.parent / f"state-{number}"),
                    "CONCORD_SECRETS__INTERNAL": "the bench's own secret",
                }
                command = worker_command(config, among=(config.parent, number + 1))
                with (config.parent / f"worker-{number}.log").open("wb") as log:
                    worker = await asyncio.create_subprocess_exec(
                        *command, cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE, stderr=log
                    )
                workers.append(worker)
                assert worker.stdout is not None
                if not (await worker.stdout.readline()).startswith(b"ready "):
                    raise SystemExit(f"a worker does not start; see {config.parent / f'worker-{number}.log'}")
            yield port, [worker.pid for worker in workers]
        finally:
            for worker in workers:
                if worker.returncode is None:
                    worker.send_signal(signal.SIGTERM)
                await worker.wait()
