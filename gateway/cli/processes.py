"""Child processes that are started in order, watched, restarted and stopped together."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

READY_WITHIN_S = 60.0
STOP_WITHIN_S = 8.0
LONGEST_PAUSE_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessPlan:
    """One process to run: `python -m <module> <arguments>`, once the ones named in `after` answer."""

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    after: tuple[str, ...] = ()


class ProcessFailed(Exception):  # noqa: N818 - reads as what it is
    """A process ended, or stayed silent, before it said that it was ready. `tail` holds its last log lines."""

    def __init__(self, name: str, reason: str, log: Path) -> None:
        self.name, self.reason, self.log = name, reason, log
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
        self.tail = tuple(lines[-15:])
        super().__init__(f"{name} {reason}")


@dataclass(slots=True)
class Supervisor:
    """Runs a set of processes. Each prints one line `ready http://…` on its standard output once it answers."""

    plans: Sequence[ProcessPlan]
    log_directory: Path
    on_ready: Callable[[str, str, float], None] = lambda _name, _url, _seconds: None
    """Called with a process's name, address and the seconds it took."""
    on_restart: Callable[[str, int, float], None] = lambda _name, _status, _pause: None
    """Called with the name of a process that ended by itself, its exit status and the pause before its restart."""
    urls: dict[str, str] = field(default_factory=dict)
    _children: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)

    async def run(self, stop: asyncio.Event, all_ready: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Start everything, then keep it running until `stop` is set. Raises ProcessFailed if a first start fails.

        `all_ready` runs beside them once all have answered.
        """
        self.log_directory.mkdir(parents=True, exist_ok=True)
        try:
            async with asyncio.TaskGroup() as group:
                starting = group.create_task(self._start_all())
                stopping = group.create_task(stop.wait())
                await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
                if stop.is_set():
                    starting.cancel()
                    return
                beside = [group.create_task(self._keep(plan)) for plan in self.plans]
                beside.append(group.create_task(all_ready()))
                await stopping
                for task in beside:
                    task.cancel()
        except* ProcessFailed as failures:
            first: BaseException = failures
            while isinstance(first, BaseExceptionGroup):
                first = first.exceptions[0]
            raise first from None
        finally:
            await self._stop_all()

    async def _start_all(self) -> None:
        ready = {plan.name: asyncio.Event() for plan in self.plans}
        async with asyncio.TaskGroup() as group:
            for plan in self.plans:
                group.create_task(self._start_after(plan, ready))

    async def _start_after(self, plan: ProcessPlan, ready: Mapping[str, asyncio.Event]) -> None:
        for name in plan.after:
            await ready[name].wait()
        await self._start(plan)
        ready[plan.name].set()

    async def _start(self, plan: ProcessPlan) -> None:
        began = time.monotonic()
        path = self.log_directory / f"{plan.name}.log"
        with path.open("ab") as log:
            child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "gateway.cli.child",
                plan.module,
                *plan.arguments,
                env={**os.environ, **plan.environment, "PYTHONUNBUFFERED": "1"},
                # Held open and never written: its end tells the child that this process is gone.
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                # A terminal's Ctrl-C must reach the supervisor alone, which then stops the rest in order.
                start_new_session=True,
            )
        self._children[plan.name] = child
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                url = await self._ready_line(child)
        except TimeoutError as error:
            raise ProcessFailed(plan.name, f"did not answer within {READY_WITHIN_S:.0f} s", path) from error
        if url is None:
            raise ProcessFailed(plan.name, f"ended with status {await child.wait()} before it was ready", path)
        self.urls[plan.name] = url
        self.on_ready(plan.name, url, time.monotonic() - began)

    @staticmethod
    async def _ready_line(child: asyncio.subprocess.Process) -> str | None:
        assert child.stdout is not None
        async for line in child.stdout:
            word, _, rest = line.decode(errors="replace").strip().partition(" ")
            if word == "ready":
                return rest
        return None

    async def _keep(self, plan: ProcessPlan) -> None:
        pause = 0.5
        while True:
            child = self._children[plan.name]
            log_path = self.log_directory / f"{plan.name}.log"
            began = time.monotonic()
            with log_path.open("ab") as log:
                await self._drain(child, log)
            status = await child.wait()
            pause = 0.5 if time.monotonic() - began > LONGEST_PAUSE_S else min(pause * 2, LONGEST_PAUSE_S)
            self.on_restart(plan.name, status, pause)
            await asyncio.sleep(pause)
            with contextlib.suppress(ProcessFailed):  # it is tried again after a longer pause
                await self._start(plan)

    @staticmethod
    async def _drain(child: asyncio.subprocess.Process, log: IO[bytes]) -> None:
        assert child.stdout is not None
        async for line in child.stdout:
            log.write(line)
            log.flush()

    async def _stop_all(self) -> None:
        running = [child for child in self._children.values() if child.returncode is None]
        for child in running:
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(signal.SIGTERM)
        if not running:
            return
        _, late = await asyncio.wait([asyncio.ensure_future(c.wait()) for c in running], timeout=STOP_WITHIN_S)
        if late:
            for child in running:
                if child.returncode is None:
                    with contextlib.suppress(ProcessLookupError):
                        child.kill()
            await asyncio.gather(*(child.wait() for child in running))
