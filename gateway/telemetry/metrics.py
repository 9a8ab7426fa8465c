"""`GET /metrics`: metrics as OpenMetrics, for whoever takes it, or in Prometheus's older text format.

Of this process, or of all behind its port.

<https://prometheus.io/docs/specs/om/open_metrics_spec/>, <https://prometheus.io/docs/instrumenting/exposition_formats/>
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import CollectorRegistry

from gateway.telemetry.siblings import Siblings

_OPENMETRICS = b"application/openmetrics-text"


class Metrics:
    """The ASGI application behind /metrics."""

    def __init__(self, registry: CollectorRegistry, siblings: Siblings | None = None) -> None:
        """`siblings` are the other processes behind the port, whose metrics are told as well."""
        self.registry = registry
        self._siblings = siblings
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
            own = await self._collect()
            told = own if self._siblings is None else await self._siblings.join(own)
        media_type, body = _print(scope["headers"], told) if is_get else ("text/plain", b"")
        headers = [(b"content-type", media_type.encode()), (b"content-length", str(len(body)).encode())]
        await send(
            {
                "type": "http.response.start",
                "status": 200 if is_get else 405,
                "headers": headers if is_get else [*headers, (b"allow", b"GET, HEAD")],
            }
        )
        await send({"type": "http.response.body", "body": body if scope["method"] == "GET" else b""})

    @asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        """Tell the other processes behind the port, if there are any, until the block ends."""
        if self._siblings is None:
            yield
            return
        async with self._siblings.told(self._collect):
            yield

    async def _collect(self) -> Sequence[Metric]:
        for each in self.refresh:
            await each()
        return list(self.registry.collect())


def _print(headers: Sequence[tuple[bytes, bytes]], metrics: Sequence[Metric]) -> tuple[str, bytes]:
    """Return media type and text."""
    registry = CollectorRegistry()
    registry.register(_Collected(metrics))
    if any(name == b"accept" and _OPENMETRICS in value for name, value in headers):
        body: bytes = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]  # it has no types
        return openmetrics.CONTENT_TYPE_LATEST, body
    # Prometheus itself takes the other one; this comes with an HTTP server and a client.
    from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest  # noqa: PLC0415

    return CONTENT_TYPE_LATEST, generate_latest(registry)


class _Collected:
    """Metrics that are there, as a collector of a registry."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def describe(self) -> Sequence[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        return self._metrics
