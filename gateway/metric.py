"""The kinds of metrics, without the servers and clients that Prometheus's library brings for those who have none."""

from __future__ import annotations

from gateway.bare_package import bare_package

bare_package("prometheus_client", values="prometheus_client.values")

from prometheus_client.metrics import Counter, Gauge, Histogram  # noqa: E402 - once it is known how
from prometheus_client.registry import CollectorRegistry  # noqa: E402

__all__ = ["CollectorRegistry", "Counter", "Gauge", "Histogram"]
