"""What a subscription to a remote subgraph may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLimits:
    """Times and sizes, for WebSockets and for server-sent events."""

    connect_timeout_s: float = 5.0
    """Time for a WebSocket to open, and again to be acknowledged."""
    head_timeout_s: float = 10.0
    """Time for the subgraph to begin its answer over server-sent events."""
    silence_s: float = 300.0
    """How long server-sent events may be silent, without even a comment. A WebSocket is pinged instead."""
    max_bytes: int = 8 << 20
    """Of one event."""
    operations_per_socket: int = 100
    """Subscriptions that go over one WebSocket together: many servers take no more."""
