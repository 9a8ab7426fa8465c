"""Serve in this process, on a port of its own or on one that several share, until it is told to stop."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from uvloop import new_event_loop

from gateway.app import create_gateway
from gateway.cli.secrets import internal_secret
from gateway.cli.shared_port import shared_port
from gateway.cli.worker_process import siblings_of
from gateway.settings import SettingsRefused, load_settings
from gateway.telemetry.log import log_to
from gateway.telemetry.siblings import Siblings
from gateway.transport.garbage import settle_garbage
from gateway.transport.server import DrainingServer, server


def serve_process(arguments: Sequence[str]) -> int:
    """Serve until SIGTERM and return the exit status; see `worker`."""
    try:
        return _serve(Path(arguments[0]), siblings_of(arguments))
    except SettingsRefused as refused:
        for problem in refused.problems:
            sys.stderr.write(f"✗ {problem}\n")
        return 2


def _serve(config: Path, siblings: Siblings | None) -> int:
    settings = load_settings(config)
    log_to(sys.stderr)
    gateway = create_gateway(settings, internal_secret=internal_secret(settings), siblings=siblings)
    process = server(
        gateway.app,
        drain=gateway.drain,
        settings=gateway.transport,
        host=settings.server.host,
        port=settings.server.port,
        drain_s=settings.server.drain_s,
        announce_s=settings.server.announce_stop_s,
    )

    async def run() -> None:
        port = nullcontext() if siblings is None else shared_port(settings.server.host, settings.server.port)
        with port as bound:
            await serve_on(None if bound is None else [bound])

    async def serve_on(sockets: list[socket.socket] | None) -> None:
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(process.serve(sockets))
            announcing = group.create_task(_announce(process))
            await serving
            announcing.cancel()

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(run())
    return 0 if process.started else 1


async def _announce(process: DrainingServer) -> None:
    await process.ready.wait()
    settle_garbage()
    host, port = process.addresses[0]
    sys.stdout.write(f"ready http://{host}:{port}\n")
    sys.stdout.flush()
