"""`concord serve`: the gateway alone, as one process or several."""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import nullcontext
from typing import Annotated

import typer
from uvloop import new_event_loop

from gateway.app import create_gateway
from gateway.cli.options import CONFIG, ConfigOption
from gateway.cli.secrets import internal_secret
from gateway.cli.workers import serve_with_workers, shared_port
from gateway.settings import load_settings
from gateway.telemetry.log import log_to
from gateway.transport.garbage import settle_garbage
from gateway.transport.server import DrainingServer, server


def serve(
    config: ConfigOption = CONFIG,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes behind the port: one for each core.")] = 1,
    shares_port: Annotated[bool, typer.Option("--shares-port", hidden=True)] = False,
) -> None:
    """Serve the composed graph until SIGTERM; requests in flight are finished first.

    Example: `CONCORD_SERVER__PORT=4100 concord serve --config schema/concord.toml`
    """
    settings = load_settings(config)
    if workers > 1:
        serve_with_workers(settings, config, workers)
        return
    log_to(sys.stderr)
    gateway = create_gateway(settings, internal_secret=internal_secret(settings))
    process = server(
        gateway.app,
        drain=gateway.drain,
        settings=gateway.transport,
        host=settings.server.host,
        port=settings.server.port,
        drain_s=settings.server.drain_s,
    )

    async def run() -> None:
        port = shared_port(settings.server.host, settings.server.port) if shares_port else nullcontext()
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
    if not process.started:
        raise typer.Exit(1)


async def _announce(process: DrainingServer) -> None:
    await process.ready.wait()
    settle_garbage()
    host, port = process.addresses[0]
    sys.stdout.write(f"ready http://{host}:{port}\n")
    sys.stdout.flush()
