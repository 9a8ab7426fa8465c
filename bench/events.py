"""Measure subscriptions: `python -m bench.events --help`.

Thousands of idle subscriptions, each to a contract of its own, and a thousand events a second, each to one of them: what
one costs in memory, what a delivery costs in CPU, how long a change takes to its client. Then many equal subscriptions,
which share the work of an event; and a storm in which all reconnect after a break with their last cursor. Beside it, in
the same run, Hive Gateway before a subgraph that streams the same events, where it is installed (`make bench` does that).

The gateway has one core, the load the other.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from bench.event_peer import hive, measure_peer, serve_subgraph
from bench.event_streams import Counts, Publisher, Reader, arrived, open_readers
from bench.gateways import Gateway, concord
from bench.processes import cpu, ending, memory_mb, start
from bench.workplace import PLACE, ROOT
from gateway.federation.composition import SubgraphSource, compose

SECRET = "a secret of the benchmark"
WATCH = """subscription ($filter: LifecycleEventFilter) {
  contractEvents(filter: $filter) { id type sequence contract { number } changes { field from to } } }"""
_GATEWAY_CORE, _LOAD_CORE = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady:
    """Events to idle subscriptions, one each."""

    name: str
    subscriptions: int
    kib_each: float
    """Resident memory per idle subscription."""
    delivered: int
    missed: int
    ingest_us: float
    """CPU of an event that nobody wants; what a delivery costs comes on top."""
    delivery_us: float
    p50_ms: float
    p99_ms: float

    def __str__(self) -> str:
        return (
            f"{self.name:<14} {self.subscriptions:>7,} idle  {self.kib_each:>6.1f} KiB each   {self.delivered:>7,} delivered"
            f"  {self.missed} missed  {self.delivery_us:>6.0f} us CPU each  p50 {self.p50_ms:.1f} ms  p99 {self.p99_ms:.1f} ms"
            f"   (+ {self.ingest_us:.0f} us to take an event in)"
        )


def write_configuration(port: int, folder: Path) -> None:
    """Write a graph of the gateway's own events alone."""
    folder.mkdir(parents=True, exist_ok=True)
    sdl = (ROOT / "schema/subgraphs/concord.graphql").read_text()
    url = f"http://127.0.0.1:{port}/graphql"
    composition = compose([SubgraphSource(name="concord", url=url, sdl=sdl)])
    assert composition.supergraph_sdl is not None, composition.errors
    (folder / "supergraph.graphql").write_text(composition.supergraph_sdl)
    (folder / "concord.toml").write_text(
        f"""
[state]
directory = {json.dumps(str(folder / "state"))}
[supergraph]
path = {json.dumps(str(folder / "supergraph.graphql"))}
[events]
contracts = {json.dumps(str(ROOT / "schema/events"))}
[access]
policy = "development"
[secrets]
internal = {json.dumps(SECRET)}
[subgraphs.concord]
in_process = "concord"
schema = {json.dumps(str(ROOT / "schema/subgraphs/concord.graphql"))}
"""
    )


@contextmanager
def running(gateways: list[tuple[Gateway, int, int]]) -> Iterator[list[int]]:
    """Start gateways on their cores; yields their process ids once all answer."""
    with ending() as pids:
        for gateway, port, core in gateways:
            log = PLACE / "logs" / f"events-{gateway.name}.log"
            pids.append(
                start(gateway.command, core=core, directory=gateway.directory, environment=gateway.environment, log=log)
            )
            _wait_for(f"http://127.0.0.1:{port}{gateway.path}", log)
        yield pids


def _wait_for(url: str, log: Path) -> None:
    for _ in range(600):
        try:
            if httpx2.post(url, json={"query": "{ __typename }"}, trust_env=False, timeout=5).status_code == 200:
                return
        except httpx2.HTTPError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"{url} does not answer:\n{log.read_text()[-2000:]}")


def documents(count: int) -> list[dict[str, object]]:
    """A subscription to each contract."""
    return [{"query": WATCH, "variables": {"filter": {"contracts": [f"CON-{number}"]}}} for number in range(count)]


async def steady(
    name: str, pid: int, url: str, events_url: str, count: int, rate: float, seconds: float
) -> tuple[Steady, list[Reader], Publisher]:
    """Open subscriptions, then publish events to one of them each."""
    counts = Counts()
    publisher = Publisher(events_url, SECRET, counts)
    # The first events compile what there is to compile.
    warm = await open_readers(url, documents(20), [None] * 20, counts)
    await asyncio.sleep(0.5)
    await publisher.publish([f"CON-{number % 20}" for number in range(200)], per_second=rate)
    await arrived(counts, 200, 30)
    for reader in warm:
        reader.transport.close()
    many = int(rate * seconds)
    before = cpu(pid)
    await publisher.publish(["CON-nobody"] * many, per_second=rate)
    await asyncio.sleep(0.5)
    ingest_us = (cpu(pid) - before).run / many * 1e6
    await asyncio.sleep(1)
    memory = memory_mb(pid)
    readers = await open_readers(url, documents(count), [None] * count, counts)
    await asyncio.sleep(2)
    kib_each = (memory_mb(pid) - memory) * 1024 / count
    counts.arrived = 0
    counts.latencies.clear()
    before = cpu(pid)
    await publisher.publish([f"CON-{number * 7919 % count}" for number in range(many)], per_second=rate)
    await arrived(counts, many, 30)
    spent = (cpu(pid) - before).run
    latencies = sorted(counts.latencies) or [0.0]
    result = Steady(
        name=name,
        subscriptions=count,
        kib_each=kib_each,
        delivered=counts.arrived,
        missed=many - counts.arrived,
        ingest_us=ingest_us,
        delivery_us=spent / max(counts.arrived, 1) * 1e6 - ingest_us,
        p50_ms=statistics.median(latencies) * 1000,
        p99_ms=latencies[len(latencies) * 99 // 100] * 1000,
    )
    return result, readers, publisher


async def storm(pid: int, url: str, readers: list[Reader], publisher: Publisher) -> str:
    """Break every connection, publish meanwhile, and let all come back with their last cursor at once."""
    counts = publisher.counts
    cursors = [reader.cursor for reader in readers]
    for reader in readers:
        reader.transport.abort()
    await asyncio.sleep(1)
    count = len(readers)
    counts.arrived = 0
    known = [number for number, cursor in enumerate(cursors) if cursor is not None]
    await publisher.publish([f"CON-{number}" for number in known], per_second=2_000)
    memory = memory_mb(pid)
    began, before = time.perf_counter(), cpu(pid)
    watching = asyncio.create_task(_most_memory(pid))
    again = await open_readers(url, documents(count), cursors, counts)
    await arrived(counts, len(known), 60)
    took, spent = time.perf_counter() - began, (cpu(pid) - before).run
    watching.cancel()
    most = (await asyncio.gather(watching, return_exceptions=True))[0]
    missed = len(known) - counts.arrived
    for reader in again:
        reader.transport.abort()
    return (
        f"reconnect storm: {count:,} clients back in {took:.1f} s ({spent:.1f} s CPU), {len(known):,} of them with an event"
        f" waiting: {missed} missed; memory {memory:.0f} MiB, at most {most if isinstance(most, float) else memory:.0f} MiB"
    )


async def _most_memory(pid: int) -> float:
    most = memory_mb(pid)
    try:
        while True:
            await asyncio.sleep(0.1)
            most = max(most, memory_mb(pid))
    except asyncio.CancelledError:
        return most


async def fan_out(pid: int, url: str, events_url: str, count: int, events: int) -> str:
    """Publish events that every one of many equal subscriptions wants."""
    counts = Counts()
    publisher = Publisher(events_url, SECRET, counts, number=10_000_000)
    equal = [{"query": WATCH, "variables": {"filter": {"contracts": ["CON-equal"]}}}] * count
    readers = await open_readers(url, equal, [None] * count, counts)
    await asyncio.sleep(1)
    before, began = cpu(pid), time.perf_counter()
    await publisher.publish(["CON-equal"] * events, per_second=events, batch=1)
    await arrived(counts, events * count, 120)
    took, spent = time.perf_counter() - began, (cpu(pid) - before).run
    for reader in readers:
        reader.transport.abort()
    return (
        f"equal subscriptions: {events} events to {count:,} clients each, {events * count - counts.arrived} missed:"
        f" {spent / max(counts.arrived, 1) * 1e6:.0f} us CPU per delivery, {counts.arrived / took:,.0f} a second"
    )


async def beside(options: argparse.Namespace, most: int) -> str:
    """Measure Hive Gateway, if it is there. Each of its subscriptions holds two of the `most` files that it may open."""
    subgraph_port, port = options.port + 1, options.port + 2
    gateway = hive(port, subgraph_port)
    if gateway is None:
        return "hive-gateway isn't installed; `make bench` installs it"
    server, streams = await serve_subgraph(subgraph_port)
    async with server:
        with running([(gateway, port, _GATEWAY_CORE)]) as (pid,):
            url = f"http://127.0.0.1:{port}/graphql"
            count = min(options.subscriptions, most // 2 - 1_000)
            return await measure_peer(pid, url, streams, count, options.rate, options.seconds)


async def measure(options: argparse.Namespace) -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if options.subscriptions > most - 500:
        options.subscriptions = most - 500
        print(
            f"a process may open {most:,} files here (ulimit -Hn), so there are {options.subscriptions:,} subscriptions"
        )
    os.sched_setaffinity(0, {_LOAD_CORE})
    port = options.port
    folder = PLACE / "events" / str(os.getpid())
    write_configuration(port, folder)
    ours = Gateway(
        name="concord",
        command=(concord(port).command[0], "serve", "--config", str(folder / "concord.toml")),
        directory=ROOT,
        environment={"CONCORD_SERVER__PORT": str(port)},
    )
    events_url = f"http://127.0.0.1:{port}/events"
    url = f"http://127.0.0.1:{port}/graphql"
    with running([(ours, port, _GATEWAY_CORE)]) as (pid,):
        result, readers, publisher = await steady(
            "concord",
            pid,
            url,
            events_url,
            options.subscriptions,
            options.rate,
            options.seconds,
        )
        print(result, flush=True)
        print(await storm(pid, url, readers, publisher), flush=True)
        print(await fan_out(pid, url, events_url, options.equal, 20), flush=True)
    print(await beside(options, most), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subscriptions", type=int, default=10_000, help="idle ones, each to a contract of its own")
    parser.add_argument("--equal", type=int, default=1_000, help="equal ones, which share the work of an event")
    parser.add_argument("--rate", type=float, default=1_000, help="events a second")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--port", type=int, default=7300, help="the first of three free loopback ports")
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
