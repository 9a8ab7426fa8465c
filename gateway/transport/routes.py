"""Which application answers which path of the process: a table, and a refusal in our own shape for all else."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Container, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from gateway.errors import GatewayError
from gateway.events.log import StoreUnavailable
from gateway.execution.correlation import correlation_id
from gateway.transport.asgi import ASGIApp, Receive, Scope, Send, read_headers
from gateway.transport.drain import Drain
from gateway.transport.exchange import CORRELATION_HEADER, begin
from gateway.transport.fast_post import FastPosts
from gateway.transport.graphql_app import GraphQLApp
from gateway.transport.handshake import refuse_handshake
from gateway.transport.header_limits import check_headers
from gateway.transport.respond import respond_refused, send_body
from gateway.transport.settings import CorsSettings, TransportSettings

_LOG = logging.getLogger("concord.transport")

Lifespan = Callable[[], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def _nothing() -> AsyncIterator[None]:
    yield


def routes(
    paths: Mapping[str, ASGIApp],
    *,
    websockets: Container[str] = (),
    lifespan: Lifespan = _nothing,
    limits: TransportSettings | None = None,
) -> Routes:
    """Return one application made of several.

    `paths` maps an exact path to its application, or a prefix ending in `/` to the one for everything below it;
    the longest match wins, and `/` alone is exact. Only the paths in `websockets` take WebSockets. `lifespan` is entered before the first request and left after the last.
    `limits` says how large the head of a request to any path may be.
    """
    return Routes(paths, websockets, lifespan, limits or TransportSettings())


class Routes:
    """One application made of several."""

    def __init__(
        self, paths: Mapping[str, ASGIApp], websockets: Container[str], lifespan: Lifespan, limits: TransportSettings
    ) -> None:
        self._exact = {path: app for path, app in paths.items() if path == "/" or not path.endswith("/")}
        rest = ((path, app) for path, app in paths.items() if path not in self._exact)
        self._prefixes = sorted(rest, key=lambda row: -len(row[0]))
        self._websockets = websockets
        self._lifespan = lifespan
        self._limits = limits
        self.fast: Mapping[bytes, FastPosts] = {
            path.encode(): app.fast for path, app in self._exact.items() if isinstance(app, GraphQLApp)
        }
        """Path → who answers common requests without an ASGI cycle."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a connection on to the application of its path."""
        if scope["type"] == "lifespan":
            await _serve_lifespan(receive, send, self._lifespan)
            return
        path = scope["path"]
        if scope["type"] == "websocket" and path not in self._websockets:
            await _not_found(scope, receive, send)
            return
        if scope["type"] == "http" and not isinstance(self._exact.get(path), GraphQLApp):
            # However a head arrived: the protocol refuses at once only those that come in pieces.
            try:
                check_headers(scope, self._limits.max_header_bytes, self._limits.max_headers)
            except GatewayError as error:
                await respond_refused(begin(scope, receive, send, CorsSettings()), error)
                return
        below = (each for prefix, each in self._prefixes if path.startswith(prefix))
        target = self._exact.get(path) or next(below, _not_found)
        await target(scope, receive, send)


async def health(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - an ASGI application's shape
    """Answer `/health`: this process serves requests."""
    await send_body(send, 200, b"application/json", b'{"status":"ok"}')


def readiness(drain: Drain) -> ASGIApp:
    """Return the application that answers `/ready`: 200 while this process takes new work, 503 once it is stopping."""

    async def ready(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            drain.check()
        except GatewayError as error:
            await respond_refused(begin(scope, receive, send, CorsSettings()), error)
            return
        await send_body(send, 200, b"application/json", b'{"status":"ready"}')

    return ready


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    refused = GatewayError("NOT_FOUND", "There is nothing at this path.")
    if scope["type"] == "websocket":
        await receive()
        headers = read_headers(scope["headers"])
        await refuse_handshake(send, refused, correlation_id(headers.get(CORRELATION_HEADER)))
        return
    await respond_refused(begin(scope, receive, send, CorsSettings()), refused)


async def _serve_lifespan(receive: Receive, send: Send, lifespan: Lifespan) -> None:
    await receive()
    try:
        async with lifespan():
            await send({"type": "lifespan.startup.complete"})
            await receive()
    except StoreUnavailable as error:
        # A file that another process holds or that can't be written: its sentence says all there is to do.
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        raise
    except Exception as error:
        _LOG.exception("the process could not start or stop cleanly")
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        raise
    await send({"type": "lifespan.shutdown.complete"})
