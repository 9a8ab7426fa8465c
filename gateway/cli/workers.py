"""Several gateways behind one port, a process each: nothing hot is shared, so they scale as cores do."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import typer

from gateway.cli.port import shared_port
from gateway.cli.secrets import internal_secret
from gateway.cli.worker_process import worker_command, worker_environment
from gateway.settings import Settings, SettingsRefused, load_ownership, load_settings

_READY_WITHIN_S = 60.0
_PAUSE_S = 1.0
"""Before a worker that ended by itself is started again."""
_GRACE_S = 3.0
"""Beyond the time that workers have to drain."""


def check_stores(settings: Settings, workers: int) -> None:
    """Raise SettingsRefused, with all that is missing, if a store belongs to one process and there are several."""
    ownership = load_ownership(settings)
    keeps = ownership is not None and any(system.cache for system in ownership.systems)
    missing = (
        ("events.redis_url", "the embedded event log belongs", settings.events.redis_url is None),
        ("writes.postgres_url", "the embedded store of idempotency keys belongs", settings.writes.postgres_url is None),
        ("entities.redis_url", "what is kept of entities is else known", keeps and settings.entities.redis_url is None),
    )
    problems = tuple(
        f"`--workers {workers}` needs `{key}`: {what} to one process."
        for key, what, is_missing in missing
        if is_missing
    )
    if problems:
        raise SettingsRefused(problems)


def serve_with_workers(config: Path, workers: int) -> None:
    """Serve with so many processes until SIGTERM, which they all get; one that dies is started again.

    Raises SettingsRefused where a store can't be shared, and Exit if a worker does not come up.
    """
    settings = load_settings(config)
    check_stores(settings, workers)
    host = settings.server.host
    # Held without listening, so that the port is theirs from the first worker to the last.
    with shared_port(host, settings.server.port) as (held,):
        port = held.getsockname()[1]
        environment = {
            **worker_environment(),
            "CONCORD_SERVER__PORT": str(port),
            "CONCORD_SECRETS__INTERNAL": internal_secret(settings),
        }
        stops_within_s = settings.server.announce_stop_s + settings.server.drain_s + _GRACE_S
        # Of its own, not in the state directory, whose name may be too long for a socket's.
        with TemporaryDirectory(prefix="concord-") as folder:
            commands = [worker_command(config, among=(Path(folder), number + 1)) for number in range(workers)]
            asyncio.run(_Workers(commands, environment, stops_within_s).run(f"http://{host}:{port}"))


class _Workers:
    def __init__(self, commands: Sequence[Sequence[str]], environment: dict[str, str], stops_within_s: float) -> None:
        self._commands = commands
        self._environment = environment
        self._count = len(commands)
        self._stops_within_s = stops_within_s
        self._running: dict[int, asyncio.subprocess.Process] = {}

    async def run(self, url: str) -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        stopping = asyncio.create_task(stop.wait())
        keepers: list[asyncio.Task[None]] = []
        try:
            starting = asyncio.gather(*(self._start(number) for number in range(self._count)))
            await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set():
                starting.cancel()
                return
            if not all(starting.result()):
                raise typer.Exit(1)
            sys.stdout.write(f"ready {url}\n")
            sys.stdout.flush()
            keepers = [asyncio.create_task(self._keep(number)) for number in range(self._count)]
            await stopping
        finally:
            stopping.cancel()
            for keeper in keepers:
                keeper.cancel()
            await self._stop_all()

    async def _start(self, number: int) -> bool:
        """Start a worker; return whether it answers. What it logs goes where this process logs."""
        worker = await asyncio.create_subprocess_exec(
            *self._commands[number], env=self._environment, stdout=asyncio.subprocess.PIPE, start_new_session=True
        )
        self._running[number] = worker
        assert worker.stdout is not None
        try:
            async with asyncio.timeout(_READY_WITHIN_S):
                return (await worker.stdout.readline()).startswith(b"ready ")
        except TimeoutError:
            return False

    async def _keep(self, number: int) -> None:
        while True:
            status = await self._running[number].wait()
            sys.stderr.write(f"Worker {number + 1} ended with status {status}; starting it again.\n")
            await asyncio.sleep(_PAUSE_S)
            if not await self._start(number) and self._running[number].returncode is None:
                self._running[number].kill()

    async def _stop_all(self) -> None:
        alive = [worker for worker in self._running.values() if worker.returncode is None]
        for worker in alive:
            worker.send_signal(signal.SIGTERM)
        if not alive:
            return
        waiting = [asyncio.ensure_future(worker.wait()) for worker in alive]
        _, late = await asyncio.wait(waiting, timeout=self._stops_within_s)
        if late:
            for worker in alive:
                if worker.returncode is None:
                    worker.kill()
            await asyncio.gather(*waiting)
