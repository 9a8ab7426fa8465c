"""`GET /metrics`: this process's metrics as OpenMetrics, for whoever takes it, or in Prometheus's older text format.

<https://prometheus.io/docs/specs/om/open_metrics_spec/>, <https://prometheus.io/docs/instrumenting/exposition_formats/>
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import CollectorRegistry

_OPENMETRICS = b"application/openmetrics-text"


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
        media_type, body = self._print(scope["headers"]) if is_get else ("text/plain", b"")
        headers = [(b"content-type", media_type.encode()), (b"content-length", str(len(body)).encode())]
        await send(
            {
                "type": "http.response.start",
                "status": 200 if is_get else 405,
                "headers": headers if is_get else [*headers, (b"allow", b"GET, HEAD")],
            }
        )
        await send({"type": "http.response.body", "body": body if scope["method"] == "GET" else b""})

    def _print(self, headers: Sequence[tuple[bytes, bytes]]) -> tuple[str, bytes]:
        """Return media type and text."""
        if any(name == b"accept" and _OPENMETRICS in value for name, value in headers):
            body: bytes = openmetrics.generate_latest(self.registry)  # type: ignore[no-untyped-call]  # it has no types
            return openmetrics.CONTENT_TYPE_LATEST, body
        # Prometheus itself takes the other one; this comes with an HTTP server and a client.
        from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest  # noqa: PLC0415

        return CONTENT_TYPE_LATEST, generate_latest(self.registry)
