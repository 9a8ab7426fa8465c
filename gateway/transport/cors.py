"""Which other sites' pages may read answers. <https://fetch.spec.whatwg.org/#http-cors-protocol>"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from gateway.transport.settings import CorsSettings

EXPOSED = "X-Correlation-Id, Retry-After"


def cors_headers(headers: Mapping[str, str], settings: CorsSettings) -> tuple[tuple[bytes, bytes], ...]:
    """Return the response headers that let the asking page read the answer; none unless its origin is allowed."""
    if not settings.origins:
        return ()
    origin = headers.get("origin", "")
    if origin in settings.origins and origin != "*":
        allowed = [(b"access-control-allow-origin", origin.encode("latin-1"))]
        if settings.credentials:
            allowed.append((b"access-control-allow-credentials", b"true"))
    elif "*" in settings.origins and origin:
        allowed = [(b"access-control-allow-origin", b"*")]
    else:
        return ((b"vary", b"origin"),)
    return (*allowed, (b"access-control-expose-headers", EXPOSED.encode()), (b"vary", b"origin"))


def preflight_headers(headers: Mapping[str, str], settings: CorsSettings) -> tuple[tuple[bytes, bytes], ...]:
    """Return the headers that answer a preflight: what an allowed origin may send."""
    allowed = cors_headers(headers, settings)
    if len(allowed) <= 1:
        return allowed
    asked = headers.get("access-control-request-headers", "content-type")
    return (
        *allowed,
        (b"access-control-allow-methods", b"GET, POST, PUT, DELETE"),
        (b"access-control-allow-headers", asked.encode("latin-1")),
        (b"access-control-max-age", str(settings.max_age_s).encode()),
    )


def is_foreign_origin(headers: Mapping[str, str], settings: CorsSettings) -> bool:
    """Whether a page of another site, not allowed here, opened this WebSocket: browsers always name the origin."""
    origin = headers.get("origin")
    if origin is None or origin in settings.origins or "*" in settings.origins:
        return False
    return urlsplit(origin).netloc != headers.get("host", "")
