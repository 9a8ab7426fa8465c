"""The HTTP server process: uvicorn, set to the door's limits, that drains before it stops."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.server import Server

from gateway.transport.asgi import ASGIApp
from gateway.transport.drain import Drain
from gateway.transport.http_protocol import http_protocol
from gateway.transport.routes import Routes
from gateway.transport.settings import TransportSettings


class DrainingServer(Server):
    """A server that tells streams to move elsewhere before it waits for what is in flight."""

    def __init__(self, config: Config, drain: Drain, announce_s: float) -> None:
        super().__init__(config)
        self._drain = drain
        self._announce_s = announce_s
        self.ready = asyncio.Event()
        """Set once the server answers; see `addresses`."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._drain.begin()
        # Streams see it and write their last words; whoever asks /ready sends new connections elsewhere.
        await asyncio.sleep(self._announce_s)
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGTERM and SIGINT as uvicorn does, but without raising them again: a stop that was asked for is a success."""
        if threading.current_thread() is not threading.main_thread():
            yield  # only there can they be listened to
            return
        previous = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """Host and port of each listening socket, once the server is started."""
        return tuple(each.getsockname()[:2] for server in self.servers for each in server.sockets)


def _websocket(*arguments: Any, **options: Any) -> asyncio.Protocol:
    """Make the protocol of one WebSocket connection."""
    from gateway.transport.websocket_protocol import WebSocketProtocol  # noqa: PLC0415 - see there

    return WebSocketProtocol(*arguments, **options)


def server(
    app: ASGIApp,
    *,
    drain: Drain,
    settings: TransportSettings,
    host: str = "127.0.0.1",
    port: int = 4000,
    drain_s: float = 5.0,
    announce_s: float = 0.0,
) -> DrainingServer:
    """Return a server for `app`; run it with `await server.serve()`. Port 0 takes a free one, see `addresses`.

    Told to stop, it takes new connections for `announce_s` more and then finishes what it has within `drain_s`.
    """
    config = Config(
        app,
        host=host,
        port=port,
        http=http_protocol(settings, app.fast if isinstance(app, Routes) else {}),
        ws=cast("type[asyncio.Protocol]", _websocket),
        ws_max_size=settings.websocket.max_message_bytes,
        ws_per_message_deflate=False,  # memory for each connection, and one more thing to be bombed with
        lifespan="on",
        access_log=False,
        log_config=None,
        log_level="error",  # what isn't HTTP is refused in our own words, and must not fill the log with uvicorn's
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=max(1, round(drain_s)),
        backlog=2048,
    )
    return DrainingServer(config, drain, announce_s)
