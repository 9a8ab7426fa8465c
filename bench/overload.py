"""`python -m bench.overload`: a gateway under too much, stopped and reloaded under load, against the promises made of it.

One gateway process over a subgraph that takes 50 ms; all on this machine, so that rates are those of one process under
test beside its load. Each row prints the promise and what was measured; the command fails where one is broken.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import uvloop
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from gateway.federation.composition import SubgraphSource, compose

IN_FLIGHT = 8
DELAY_S = 0.05
SICK_S = 5.0
"""How long the subgraph takes, and for how long, while it is ill."""
SDL = "type Query { answer: String }"
ANSWER = b'{"data":{"answer":"yes"}}'


@dataclass
class Tally:
    """What became of requests."""

    outcomes: Counter[str] = field(default_factory=Counter)
    good_at: list[float] = field(default_factory=list)
    """When each answer with data came, by the clock of `time.perf_counter`."""
    refused_ms: list[float] = field(default_factory=list)
    without_retry_after: int = 0

    def note(self, status: int, head: bytes, ms: float) -> None:
        self.outcomes[str(status)] += 1
        if status == 200:
            self.good_at.append(time.perf_counter())
        if status == 503:
            self.refused_ms.append(ms)
            self.without_retry_after += b"retry-after:" not in head.lower()


@dataclass
class Upstream:
    """The subgraph."""

    delay_s: float = DELAY_S

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            await asyncio.sleep(self.delay_s)
            kind = b"content-type: application/json\r\n"
            writer.write(b"HTTP/1.1 200 OK\r\n%bcontent-length: %d\r\n\r\n%b" % (kind, len(ANSWER), ANSWER))
            await writer.drain()


class Client:
    """One kept connection."""

    def __init__(self, url: str) -> None:
        self._where = urlsplit(url)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, tally: Tally, number: int) -> None:
        # Each asks something of its own, or equal questions would be put together.
        body = json.dumps({"query": f"{{ answer a{number}: answer }}"}).encode()
        begun = time.perf_counter()
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection(self._where.hostname, self._where.port)
            reader, writer = self._streams
            writer.write(
                b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
                % (len(body), body)
            )
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]))
        except ConnectionRefusedError:
            tally.outcomes["not taken"] += 1
            self._streams = None
            return
        except (asyncio.IncompleteReadError, ConnectionError):
            tally.outcomes["cut off"] += 1
            self._streams = None
            return
        status = int(head.split(b" ", 2)[1])
        if status == 200 and b'"errors"' in body:
            tally.outcomes["partial"] += 1
        else:
            tally.note(status, head, (time.perf_counter() - begun) * 1000)
        if b"connection: close" in head.lower():
            writer.close()
            self._streams = None


async def closed_loop(url: str, clients: int, seconds: float) -> Tally:
    """Ask with so many clients, each again as soon as it is answered."""
    tally = Tally()
    until = time.perf_counter() + seconds

    async def one(number: int) -> None:
        client = Client(url)
        while time.perf_counter() < until:
            await client.ask(tally, number)

    await asyncio.gather(*map(one, range(clients)))
    return tally


async def open_loop(url: str, per_s: float, seconds: float) -> Tally:
    """Ask at a rate, whatever becomes of it."""
    tally = Tally()
    idle = [Client(url) for _ in range(200)]
    running: set[asyncio.Task[None]] = set()
    begun = time.perf_counter()
    for number in range(int(per_s * seconds)):
        await asyncio.sleep(max(0.0, begun + number / per_s - time.perf_counter()))
        client = idle.pop() if idle else Client(url)

        async def one(client: Client = client, number: int = number) -> None:
            await client.ask(tally, number % 50)
            idle.append(client)

        task = asyncio.create_task(one())
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    return tally


@asynccontextmanager
async def gateway(folder: Path, port: int) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    sdl = compose([SubgraphSource(name="slow", url=f"http://127.0.0.1:{port}/graphql", sdl=SDL)]).supergraph_sdl
    assert sdl is not None
    (folder / "supergraph.graphql").write_text(sdl)
    (folder / "concord.toml").write_text(
        f'[access]\npolicy = "development"\n[server]\nport = 0\n[state]\ndirectory = "{folder}/state"\n'
        f"[limits]\nin_flight = {IN_FLIGHT}\n"
        f'[supergraph]\npath = "{folder}/supergraph.graphql"\nreload_interval_s = 0.05\n'
        f'[subgraphs.slow]\nurl = "http://127.0.0.1:{port}/graphql"\nschema = "{folder}/none"\ntimeout_s = 1\n'
    )
    with (folder / "log").open("w") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "gateway.cli.main",
            "serve",
            "--config",
            str(folder / "concord.toml"),
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            env={**os.environ},
        )
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().removeprefix("ready ").strip(), process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def reloads(folder: Path, count: int) -> None:
    path = folder / "supergraph.graphql"
    text = path.read_text()
    for number in range(count):
        fresh = path.with_suffix(".new")
        fresh.write_text("broken {" if number % 10 == 9 else f"{text}\n# {number}\n")
        fresh.replace(path)
        await asyncio.sleep(0.12)


async def illness(url: str, upstream: Upstream, per_s: float) -> tuple[float, float]:
    """Ask at a rate that is well below capacity while the subgraph is ill, and after.

    Returns the share that was answered meanwhile, and the seconds from its recovery to a second with 90 % of the rate.
    """
    load = asyncio.create_task(open_loop(url, per_s, SICK_S + 15))
    await asyncio.sleep(1)
    upstream.delay_s, ill_at = SICK_S, time.perf_counter()
    await asyncio.sleep(SICK_S)
    upstream.delay_s, well_at = DELAY_S, time.perf_counter()
    good_at = (await load).good_at
    meanwhile = sum(ill_at + 0.1 < each < well_at for each in good_at) / per_s / SICK_S
    for tenths in range(130):
        begin = well_at + tenths / 10
        if sum(begin <= each < begin + 1 for each in good_at) >= per_s * 0.9:
            return meanwhile, tenths / 10
    return meanwhile, float("inf")


async def sockets(url: str, count: int) -> Counter[str]:
    """Ask over WebSockets, again as soon as each is answered, until the server says goodbye; count how they end."""
    outcomes: Counter[str] = Counter()

    async def one(number: int) -> None:
        asked = f"{{ answer s{number}: answer }}"
        async with connect(f"ws{url.removeprefix('http')}/graphql", subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]  # a NewType
            await socket.send('{"type":"connection_init"}')
            await socket.recv()
            try:
                for turn in range(10_000):
                    subscribe = {"type": "subscribe", "id": str(turn), "payload": {"query": asked}}
                    await socket.send(json.dumps(subscribe))
                    message = json.loads(await socket.recv())
                    if message["type"] == "error":
                        outcomes[message["payload"][0]["extensions"]["code"]] += 1
                        return
                    await socket.recv()
                    outcomes["answered"] += 1
            except ConnectionClosed:
                outcomes["cut off"] += 1

    await asyncio.gather(*map(one, range(count)))
    return outcomes


def row(promise: str, measured: str, kept: bool) -> bool:
    print(f"{'kept  ' if kept else 'BROKEN'} {promise}: {measured}")
    return kept


async def measure() -> bool:
    upstream = Upstream()
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0, backlog=500)
    port = server.sockets[0].getsockname()[1]
    kept = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        async with gateway(folder, port) as (url, process):
            await closed_loop(url, IN_FLIGHT, 2)
            capacity = (await closed_loop(url, IN_FLIGHT, 4)).outcomes["200"] / 4
            over = await open_loop(url, capacity * 5, 4)
            good = over.outcomes["200"] / 4 / capacity
            waits = sorted(over.refused_ms) or [0.0]
            kept.append(row("five times the load, 80 % still served", f"{good:.0%} of {capacity:.0f}/s", good >= 0.8))
            p50, p99 = waits[len(waits) // 2], waits[int(len(waits) * 0.99)]
            told = f"half within {p50:.1f} ms, 99 % within {p99:.1f} ms, {over.without_retry_after} without Retry-After"
            kept.append(row("refused within 50 ms with Retry-After", told, p99 <= 50 and not over.without_retry_after))
            odd = {name: count for name, count in over.outcomes.items() if name not in ("200", "503")}
            kept.append(row("nothing but answers and refusals", str(odd or "nothing else"), not odd))
            after = (await closed_loop(url, IN_FLIGHT, 2)).outcomes["200"] / 2 / capacity
            kept.append(row("back to normal at once", f"{after:.0%} of its rate", after >= 0.8))
            meanwhile, again_s = await illness(url, upstream, capacity / 2)
            told = f"{again_s:.1f} s after it was well; {meanwhile:.0%} were answered meanwhile"
            kept.append(row("back to normal within 10 s of a slow upstream's recovery", told, again_s <= 10))
            load = asyncio.create_task(closed_loop(url, IN_FLIGHT, 8))
            await reloads(folder, 50)
            reloaded = (await load).outcomes
            kept.append(
                row("50 reloads, 5 of them broken, lose nothing", str(dict(reloaded)), set(reloaded) == {"200"})
            )
            load = asyncio.create_task(closed_loop(url, IN_FLIGHT - 2, 2))
            talk = asyncio.create_task(sockets(url, 2))
            await asyncio.sleep(1)
            process.send_signal(signal.SIGTERM)
            stopped, talked = (await load).outcomes, await talk
            failed = set(stopped) - {"200", "not taken"} or set(talked) - {"answered", "SHUTTING_DOWN"}
            told = f"{dict(stopped)}, WebSockets {dict(talked)}"
            kept.append(row("SIGTERM cuts nobody off", told, not failed))
            status = await process.wait()
            kept.append(row("and the process ends", f"status {status}", status in (0, -signal.SIGTERM)))
    server.close()
    return all(kept)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(not runner.run(measure()))
