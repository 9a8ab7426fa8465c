"""`python -m bench.faults`: systems that fail in every way, beside one that doesn't, against the promises made of them.

One gateway process over two subgraphs; one is well, the other has a fault at a time. Callers ask the well one all the while,
and both together. Each row prints the promise and what was measured; the command fails where one is broken.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import uvloop

from bench.overload import row
from gateway.federation.composition import SubgraphSource, compose

WELL = "type Query { well(n: Int): String }"
SICK = "type Query { sick(n: Int): String }"
TIMEOUT_S = 1.0
TURNS = 3
"""How often a fault is measured beside which answers came late."""
BOTH = "query($n: Int) { well(n: $n) sick(n: $n) }"
ONE = "query($n: Int) { well(n: $n) }"
Behave = Callable[[asyncio.StreamWriter, bytes], Awaitable[None]]


def reply(body: bytes, status: bytes = b"200 OK", kind: bytes = b"application/json") -> bytes:
    return b"HTTP/1.1 %b\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n%b" % (status, kind, len(body), body)


@dataclass
class Subgraph:
    """A system that answers with what it was asked, unless it is told to misbehave."""

    field_name: str
    behave: Behave | None = None
    closed_at: list[float] = field(default_factory=list)
    """When connections were closed by the gateway, by `time.perf_counter`."""
    read_at: dict[str, float] = field(default_factory=dict)
    """When requests were read, by their correlation id and the same clock."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
                body = await reader.readexactly(length)
                name = head.lower().partition(b"x-correlation-id: ")[2].partition(b"\r\n")[0].decode()
                self.read_at[name] = time.perf_counter()
                if self.behave is None:
                    variables = json.loads(body).get("variables") or {}
                    tenant = head.lower().partition(b"x-tenant: ")[2].partition(b"\r\n")[0].decode()
                    told = json.dumps({"data": {self.field_name: f"{tenant}{next(iter(variables.values()), None)}"}})
                    writer.write(reply(told.encode()))
                else:
                    misbehaving = asyncio.create_task(self.behave(writer, body))
                    leaving = asyncio.create_task(reader.read(1))
                    await asyncio.wait({misbehaving, leaving}, return_when=asyncio.FIRST_COMPLETED)
                    if leaving.done() and not leaving.result():
                        self.closed_at.append(time.perf_counter())
                    misbehaving.cancel()
                    leaving.cancel()
                    break
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def hang(_writer: asyncio.StreamWriter, _body: bytes) -> None:
    await asyncio.sleep(3600)


async def reset(writer: asyncio.StreamWriter, _body: bytes) -> None:
    writer.transport.abort()


async def trickle(writer: asyncio.StreamWriter, _body: bytes) -> None:
    """A kilobyte a second of an answer that never ends."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n")
    while True:
        writer.write(b" " * 100)
        await asyncio.sleep(0.1)


async def stall(writer: asyncio.StreamWriter, _body: bytes) -> None:
    writer.write(reply(b'{"data":{"sick":"x"}}')[:-5])
    await asyncio.sleep(3600)


def say(told: bytes) -> Behave:
    async def behave(writer: asyncio.StreamWriter, _body: bytes) -> None:
        writer.write(told)
        await writer.drain()

    return behave


FAULTS: dict[str, Behave] = {
    "black hole": hang,
    "reset": reset,
    "1 kB/s": trickle,
    "stall": stall,
    "500": say(reply(b"Traceback", b"500 Oops", b"text/plain")),
    "503": say(reply(b"", b"503 Unavailable")),
    "rubbish": say(reply(b'{"data": <html>')),
    "not HTTP": say(b"SSH-2.0-OpenSSH_9.6\r\n"),
}


@asynccontextmanager
async def gateway(folder: Path, ports: dict[str, int]) -> AsyncIterator[str]:
    sources = [
        SubgraphSource(name=name, url=f"http://127.0.0.1:{port}/graphql", sdl=sdl)
        for (name, port), sdl in zip(ports.items(), (WELL, SICK), strict=True)
    ]
    sdl = compose(sources).supergraph_sdl
    assert sdl is not None
    (folder / "supergraph.graphql").write_text(sdl)
    tables = "".join(
        f'[subgraphs.{name}]\nurl = "http://127.0.0.1:{port}/graphql"\nschema = "{folder}/none"\n'
        f'timeout_s = {TIMEOUT_S}\nforward_headers = ["x-tenant"]\n'
        for name, port in ports.items()
    )
    (folder / "concord.toml").write_text(
        f'[access]\npolicy = "development"\n[server]\nport = 0\n[state]\ndirectory = "{folder}/state"\n'
        f'[supergraph]\npath = "{folder}/supergraph.graphql"\n{tables}'
    )
    command = (sys.executable, "-m", "gateway.cli.main", "serve", "--config", str(folder / "concord.toml"))
    with (folder / "log").open("w") as log:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=log, env={**os.environ}
        )
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().removeprefix("ready ").strip() + "/graphql"
    finally:
        process.terminate()
        await process.wait()


def p99(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.99)] if times else float("inf")


class Asker:
    """Asks the gateway and times the answers."""

    def __init__(self, http: httpx2.AsyncClient, url: str) -> None:
        self._http, self._url = http, url
        self._number = 0

    async def ask(self, query: str, **headers: str) -> tuple[dict[str, object], float]:
        self._number = number = self._number + 1
        begun = time.perf_counter()
        body = {"query": query, "variables": {"n": number}}
        response = await self._http.post(self._url, json=body, headers=headers)
        answer = response.json()
        if (answer.get("data") or {}).get("well") == str(number):
            answer["data"]["well"] = "!"  # its own answer
        return answer, time.perf_counter() - begun

    async def well_ms(self, seconds: float) -> tuple[list[float], int]:
        """Ask the well system alone for a while; return milliseconds, and how many answers were not whole."""
        until, times, wrong = time.perf_counter() + seconds, [], 0
        while time.perf_counter() < until:
            answer, took = await self.ask(ONE)
            times.append(took * 1000)
            wrong += answer != {"data": {"well": "!"}}
            await asyncio.sleep(0.005)
        return times, wrong


async def failures(asker: Asker, sick: Subgraph) -> list[bool]:
    return [await failure(asker, sick, name, behave) for name, behave in FAULTS.items()]


async def failure(asker: Asker, sick: Subgraph, name: str, behave: Behave) -> bool:
    """One fault, beside which the other system is asked, and a moment before it for comparison.

    What is only late is measured again: the gateway is late every time, the machine is when others need it.
    """
    turn = 0
    while turn < TURNS:
        turn += 1
        baseline = p99((await asker.well_ms(1.0))[0])
        sick.behave = behave
        asking = asyncio.create_task(asker.well_ms(3.0))
        slowest, wrong, until = 0.0, 0, time.perf_counter() + 3.0
        while time.perf_counter() < until:
            answer, took = await asker.ask(BOTH)
            slowest = max(slowest, took)
            data = answer.get("data") or {}
            wrong += not (
                isinstance(data, dict) and data.get("well") == "!" and data.get("sick") is None and answer.get("errors")
            )
            await asyncio.sleep(0.02)
        beside, broken = await asking
        sick.behave, well_at = None, time.perf_counter()
        while "errors" in (await asker.ask(BOTH))[0]:
            if time.perf_counter() - well_at > 15:
                break
            await asyncio.sleep(0.05)
        healed_s = time.perf_counter() - well_at
        is_whole = not broken and not wrong
        is_in_time = slowest <= TIMEOUT_S + 0.1 and p99(beside) <= baseline + 50 and healed_s <= 10
        if is_in_time or not is_whole:
            break
    told = (
        f"beside it 99 % within {p99(beside):.1f} ms ({baseline:.1f} ms without), {broken} not whole;"
        f" partial within {slowest:.2f} s, {wrong} otherwise; whole again after {healed_s:.1f} s"
        f"{f'; measured {turn} times' if turn > 1 else ''}"
    )
    return row(f"{name} stays the system's own", told, is_whole and is_in_time)


async def deadlines(asker: Asker, sick: Subgraph) -> list[bool]:
    """A client that gives 500 ms, over a system that needs 5 s."""
    sick.behave = hang
    took_s, cancelled_s = [], []
    for _ in range(20):
        sick.closed_at.clear()
        begun = time.perf_counter()
        _, took = await asker.ask(BOTH, **{"x-request-timeout-ms": "500"})
        took_s.append(took)
        while not sick.closed_at and time.perf_counter() - begun < 3:  # noqa: ASYNC110 - a list that connections fill
            await asyncio.sleep(0.005)
        if sick.closed_at:
            cancelled_s.append(sick.closed_at[0] - begun - took)
        if took < 0.3:
            break  # the breaker has opened: nothing is asked any more
    sick.behave = None
    answered, cancelled = max(took_s), max(cancelled_s, default=float("inf"))
    told = f"answered within {answered * 1000:.0f} ms, the system left alone {cancelled * 1000:.0f} ms later"
    return [row("a deadline of 500 ms holds over a system of 5 s", told, answered <= 0.6 and cancelled <= 0.2)]


async def mixed_up(url: str, answers: int, well: Subgraph) -> list[bool]:
    """Tenants by the hundred ask for the same few things, and leave every fifth time.

    A request without an answer is looked for at the system: it is in this process, which is busy asking, and may have read it
    when its second was over. One that it read in time, or that never came, would be the gateway's fault.
    """
    dice, foreign, whole, left = random.Random(7), 0, 0, 0
    missing: list[tuple[str, float, str]] = []
    late: list[float] = []
    unexplained: list[str] = []
    limits = httpx2.Limits(max_connections=60, max_keepalive_connections=60)
    async with httpx2.AsyncClient(trust_env=False, timeout=30, limits=limits) as http:

        async def tenant(name: str, turns: int) -> None:
            nonlocal foreign, whole, left
            for turn in range(turns):
                number, correlation, begun = dice.randrange(4), f"{name}-{turn}", time.perf_counter()
                headers = {"x-tenant": f"{name}-", "x-correlation-id": correlation}
                asking = http.post(url, json={"query": ONE, "variables": {"n": number}}, headers=headers)
                try:
                    impatient = dice.random() < 0.2
                    answer = await asyncio.wait_for(asking, dice.random() / 100 if impatient else 30)
                except (TimeoutError, httpx2.TransportError):
                    left += 1
                    continue
                told = (answer.json().get("data") or {}).get("well")
                whole += told == f"{name}-{number}"
                if told is None:
                    missing.append((correlation, begun, answer.json()["errors"][0]["extensions"]["code"]))
                foreign += told not in (None, f"{name}-{number}")

        await asyncio.gather(*(tenant(f"t{number}", answers // 200) for number in range(200)))
    await asyncio.sleep(1)  # what is on its way to the system is read
    for correlation, begun, code in missing:
        waited_s = well.read_at.get(correlation, float("inf")) - begun
        if code == "SYSTEM_CIRCUIT_OPEN" or TIMEOUT_S <= waited_s < float("inf"):
            late.append(waited_s)
        else:
            unexplained.append(f"{correlation} {code} read after {waited_s:.2f} s")
    told = (
        f"{foreign} foreign in {whole:,} answers to 200 tenants; {left:,} aborted, {len(missing)} without an answer:"
        f" {len(late)} of them read by the busy system after its second was over, {len(unexplained)} for another reason {unexplained[:3]}"
    )
    return [
        row(
            "nobody gets another's answer, and none is lost",
            told,
            not foreign and not unexplained and whole > answers * 0.6,
        )
    ]


async def measure(answers: int) -> bool:
    well, sick = Subgraph("well"), Subgraph("sick")
    servers = [await asyncio.start_server(each.serve, "127.0.0.1", 0, backlog=500) for each in (well, sick)]
    ports = {name: each.sockets[0].getsockname()[1] for name, each in zip(("well", "sick"), servers, strict=True)}
    with tempfile.TemporaryDirectory() as place:
        async with gateway(Path(place), ports) as url, httpx2.AsyncClient(trust_env=False, timeout=30) as http:
            asker = Asker(http, url)
            kept = await failures(asker, sick)
            await asyncio.sleep(6)  # whatever breaker is open closes
            kept += await deadlines(asker, sick)
            kept += await mixed_up(url, answers, well)
    for each in servers:
        each.close()
    return all(kept)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(not runner.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000)))
