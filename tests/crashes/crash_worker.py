"""A gateway's workflows in a process to be killed: forked from a parent that has loaded everything, so that it starts at once.

It takes a JSON command a line and answers each with one: `begin`, `compensate`, `look`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import dbos  # noqa: F401 - loaded before the fork, so that a worker starts at once
import orjson

from gateway.access.caller import Caller
from gateway.errors import GatewayError
from gateway.execution.located import SubgraphProfile
from gateway.upstream.remote import remote_subgraph
from gateway.writes.workflows import engine_database, postgres_database  # noqa: F401 - as above
from gateway.writes.workflows.catalogue import definitions
from gateway.writes.workflows.database import open_database
from gateway.writes.workflows.definition import CallFailed
from gateway.writes.workflows.desk import Asking, WorkflowDesk
from gateway.writes.workflows.model import WorkflowFilter
from gateway.writes.workflows.pricing import Pricing
from gateway.writes.workflows.store import WorkflowStore
from gateway.writes.workflows.subgraph_calls import SubgraphCalls
from gateway.writes.workflows.worker import Worker, WorkerSettings

LEASE_S = 1.0
_SHOWN = frozenset({"BAD_USER_INPUT", "CONFLICT", "NOT_FOUND", "SYSTEM_REJECTED"})
Boundary = tuple[str, str]
"""(step, moment), as the driver's watcher is told."""


@dataclass(frozen=True)
class Place:
    """Where a worker keeps its state, and whom it asks."""

    folder: Path
    postgres_url: str | None
    urls: dict[str, str]

    @property
    def died(self) -> Path:
        """Where workers note the boundary at which they send themselves the signal."""
        return self.folder / "died"


@dataclass
class Forked:
    """A worker as its parent sees it."""

    pid: int
    channel: socket.socket
    is_dead: bool = False
    _received: bytearray = field(default_factory=bytearray)

    def send(self, **command: Any) -> bool:
        try:
            self.channel.sendall(orjson.dumps(command) + b"\n")
        except OSError:
            return False
        return True

    def answer(self, within_s: float = 30.0) -> dict[str, Any] | None:
        """The answer to a command; None when the worker is dead, or does not answer."""
        self.channel.settimeout(within_s)
        try:
            while b"\n" not in self._received:
                piece = self.channel.recv(65536)
                if not piece:
                    return None
                self._received += piece
        except OSError:
            return None
        line, _, rest = bytes(self._received).partition(b"\n")
        self._received = bytearray(rest)
        return orjson.loads(line)

    def ask(self, **command: Any) -> dict[str, Any] | None:
        return self.answer() if self.send(**command) else None

    def kill(self) -> None:
        if not self.is_dead:
            os.kill(self.pid, signal.SIGKILL)
            self.bury()

    def has_died(self) -> bool:
        """Whether it is gone; a dead one is buried."""
        if not self.is_dead and os.waitpid(self.pid, os.WNOHANG) != (0, 0):
            self.is_dead = True
            self.channel.close()
        return self.is_dead

    def is_stopped(self) -> bool:
        """Whether it stands still, by a signal."""
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def bury(self) -> None:
        os.waitpid(self.pid, 0)
        self.is_dead = True
        self.channel.close()


def fork_worker(
    place: Place, fatal: Collection[Boundary], others: list[Forked], *, by: signal.Signals = signal.SIGKILL
) -> Forked:
    """Start a worker that sends itself a signal whenever it comes to one of the boundaries `fatal`: it dies there, or stops."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid:
        theirs.close()
        return Forked(pid, ours)
    status = 1
    try:
        ours.close()
        for other in others:
            other.channel.close()
        logging.basicConfig(filename=place.folder / "workers.log", level=logging.ERROR, force=True)
        asyncio.run(_work(place, theirs, _signalled_at(frozenset(fatal), by, place.died)))
        status = 0
    finally:
        os._exit(status)


def _signalled_at(fatal: frozenset[Boundary], by: signal.Signals, died: Path) -> Callable[[str, str, str], None]:
    def watch(workflow: str, step: str, moment: str) -> None:
        del workflow
        if (step, moment) in fatal:
            with died.open("a") as noted:
                noted.write(f"{step}\t{moment}\n")
            os.kill(os.getpid(), by)

    return watch


class Heard(SubgraphCalls):
    """Calls that remember what the last write was answered with."""

    last: ClassVar[dict[str, Any]] = {}

    async def __call__(self, system: str, document: str, variables: Any, key: str | None) -> Any:
        refused = None
        try:
            return await super().__call__(system, document, variables, key)
        except CallFailed as failed:
            refused = failed.error.code
            raise
        finally:
            if key is not None:
                type(self).last = {"key": key, "refused": refused}


async def _work(place: Place, channel: socket.socket, watch: Callable[[str, str, str], None]) -> None:
    database = open_database(place.folder / "workflows.sqlite", place.postgres_url)
    store = WorkflowStore(database)
    clients = {name: remote_subgraph(url) for name, url in place.urls.items()}
    profiles = {name: SubgraphProfile(name=name, system=name, shown_codes=_SHOWN) for name in clients}
    calls = Heard(lambda: clients, profiles, Caller(subject="crash"))
    kinds = definitions(Pricing())
    url = place.postgres_url or f"sqlite:///{place.folder / 'engine.sqlite'}"
    worker = Worker(WorkerSettings(engine_url=url, lease_s=LEASE_S), store, kinds, calls, {}, watch=watch)
    desk = WorkflowDesk(store, worker, kinds, calls, approval_above=None)
    serving = asyncio.create_task(worker.serve_forever())
    reader, writer = await asyncio.open_connection(sock=channel)
    while line := await reader.readline():
        command = orjson.loads(line)
        try:
            answer = await _carry_out(desk, calls, command)
        except GatewayError as error:
            answer = {"refused": error.code}
        writer.write(orjson.dumps(answer) + b"\n")
        await writer.drain()
    serving.cancel()


async def _carry_out(desk: WorkflowDesk, calls: Heard, command: dict[str, Any]) -> dict[str, Any]:
    match command:
        case {"do": "begin", "kind": kind, "field": name, "input": given, "key": key}:
            asking = Asking(caller=Caller(subject="ada"), correlation_id=key, field=name, key=key)
            record = await desk.begin(kind, given, asking)
            return {"id": record.id, "status": record.status}
        case {"do": "compensate", "id": workflow}:
            record = await desk.compensate(workflow, Caller(subject="ada"))
            return {"id": record.id, "status": record.status}
        case {"do": "look"}:
            page = await desk.page(WorkflowFilter(), size=10_000, after=None)
            return {
                each.id: [each.status, each.contract, each.error.code if each.error else None]
                for each in page.workflows
            }
        case {"do": "heard"}:
            return calls.last
        case {"do": "verify"}:
            check = await desk.verify()
            return {"entries": check.entries, "broken": check.broken_at}
        case _:
            raise ValueError(command)
