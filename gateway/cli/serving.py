"""Serve in this process, on a port of its own or on one that several share, until it is told to stop."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from uvloop import new_event_loop

from gateway.app import create_gateway
from gateway.cli.port import own_port, shared_port
from gateway.cli.secrets import internal_secret
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
        host, port = settings.server.host, settings.server.port
        with own_port(host, port) if siblings is None else shared_port(host, port) as sockets:
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
    host = f"[{host}]" if ":" in host else host
    sys.stdout.write(f"ready http://{host}:{port}\n")
    sys.stdout.flush()
