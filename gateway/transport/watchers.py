"""A door for those who watch the process: monitoring with a key of its own, and callers who may see operations."""

from __future__ import annotations

import hmac

from gateway.access.authenticate import Authenticate
from gateway.errors import GatewayError
from gateway.transport.asgi import ASGIApp, Receive, Scope, Send
from gateway.transport.exchange import begin
from gateway.transport.respond import respond_refused
from gateway.transport.settings import CorsSettings

_SCOPE = "operations:read"


def for_watchers(inner: ASGIApp, key: str | None, authenticate: Authenticate) -> ASGIApp:
    """Return an application that lets in who brings the key as a bearer token, or credentials with the scope operations:read."""

    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        exchange = begin(scope, receive, send, CorsSettings())
        given = exchange.headers.get("authorization", "")
        is_known = key is not None and hmac.compare_digest(given.encode(), f"Bearer {key}".encode())
        try:
            if not is_known:
                caller = await authenticate(exchange.headers)
                if _SCOPE not in caller.scopes and not caller.is_unrestricted:
                    raise GatewayError("FORBIDDEN", f"This is for whoever has the scope {_SCOPE}.")
        except GatewayError as error:
            await respond_refused(exchange, error)
            return
        await inner(scope, receive, send)

    return door
