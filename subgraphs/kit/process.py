"""Serves an ASGI application as a process: `ready http://host:port` on stdout once it answers, a clean stop on SIGTERM."""

from __future__ import annotations

import gc
import logging
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

_COLLECT_AFTER = (50_000, 20, 20)
"""Containers made beyond those freed before the young ones are looked through, and how often those are before older ones."""


class _AnnouncedServer(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started and sockets:
            _settle_garbage()
            host, port = sockets[0].getsockname()[:2]
            sys.stdout.write(f"ready http://{host}:{port}\n")
            sys.stdout.flush()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGTERM and SIGINT as uvicorn does, but without raising them again: a stop that was asked for is a success."""
        previous = {sig: signal.signal(sig, self.handle_exit) for sig in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for sig, handler in previous.items():
                signal.signal(sig, handler)


def _settle_garbage() -> None:
    """Keep what lives from now on (schema, state, projections) out of every later collection, and make those rarer.

    Vendors' answers and ours are trees that reference counting frees. Python's default looks through everything that lives,
    a sandbox's whole state too, several times while one large answer is made: up to half of the process's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)


def serve(app: ASGIApp, *, host: str, port: int) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit status, 1 when the address or the start-up failed. Port 0: any free one."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, timeout_graceful_shutdown=1, lifespan="on", server_header=False
    )
    server = _AnnouncedServer(config)
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            sys.stderr.write(f"Can't listen on {host}:{port}: {error.strerror}.\n")
            return 1
        server.run(sockets=[listener])
    return 0 if server.started else 1
