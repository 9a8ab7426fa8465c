"""One HTTP request and the way back to its client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.access.attempts import SOURCE
from gateway.execution.correlation import correlation_id
from gateway.transport.asgi import Receive, Scope, Send, read_headers
from gateway.transport.cors import cors_headers
from gateway.transport.settings import CorsSettings

CORRELATION_HEADER = "x-correlation-id"


@dataclass(frozen=True, slots=True)
class Exchange:
    """An ASGI HTTP connection, with what every answer needs already read."""

    scope: Scope
    receive: Receive
    send: Send
    headers: Mapping[str, str]
    """Names in lower case; X-Correlation-Id is always there."""
    cors: tuple[tuple[bytes, bytes], ...]
    """Response headers that let the asking page read the answer."""

    @property
    def method(self) -> str:
        """The request's method, upper case."""
        method: str = self.scope["method"]
        return method

    @property
    def correlation_id(self) -> str:
        """The request's name in answers, logs and subgraphs."""
        return self.headers[CORRELATION_HEADER]


def source_of(scope: Scope) -> str:
    """Return the address that a connection comes from; empty where the server doesn't tell."""
    return str((scope.get("client") or ("",))[0])


def begin(scope: Scope, receive: Receive, send: Send, cors: CorsSettings) -> Exchange:
    """Return the exchange that a connection's scope opens."""
    headers = read_headers(scope["headers"])
    headers[CORRELATION_HEADER] = correlation_id(headers.get(CORRELATION_HEADER))
    headers[SOURCE] = source_of(scope)
    return Exchange(scope, receive, send, headers, cors_headers(headers, cors))
