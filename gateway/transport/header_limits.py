"""How large the head of a request may be."""

from __future__ import annotations

from gateway.errors import GatewayError
from gateway.transport.asgi import Scope


def check_headers(scope: Scope, max_bytes: int, max_headers: int) -> None:
    """Raise `GatewayError` with HEADERS_TOO_LARGE if the request line and headers are, together, too many bytes."""
    raw = scope["headers"]
    size = len(scope.get("raw_path") or scope["path"]) + len(scope.get("query_string", b""))
    for name, value in raw:
        size += len(name) + len(value) + 4  # the colon, the space and the line's end
    if size > max_bytes:
        raise _too_large("header bytes", max_bytes, size)
    if len(raw) > max_headers:
        raise _too_large("headers", max_headers, len(raw))


def _too_large(name: str, limit: int, figure: int) -> GatewayError:
    return GatewayError(
        "HEADERS_TOO_LARGE",
        f"The request's {name} come to {figure}; the limit is {limit}.",
        headers={"Connection": "close"},
        extensions={"limit": {"name": name, "value": limit, "figure": figure}},
    )
