"""`GET /metrics`: this process's metrics in Prometheus's text format. <https://prometheus.io/docs/instrumenting/exposition_formats/>"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest


class Metrics:
    """The ASGI application behind /metrics."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.refresh: Sequence[Callable[[], Awaitable[None]]] = ()
        """Awaited before each answer: gauges of what lies in stores."""

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],  # noqa: ARG002 - an ASGI application's shape
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        is_get = scope["method"] in ("GET", "HEAD")
        if is_get:
            for each in self.refresh:
                await each()
        body = generate_latest(self.registry) if is_get else b""
        media_type = CONTENT_TYPE_LATEST if is_get else "text/plain"
        headers = [(b"content-type", media_type.encode()), (b"content-length", str(len(body)).encode())]
        await send(
            {
                "type": "http.response.start",
                "status": 200 if is_get else 405,
                "headers": headers if is_get else [*headers, (b"allow", b"GET, HEAD")],
            }
        )
        await send({"type": "http.response.body", "body": body if scope["method"] == "GET" else b""})
