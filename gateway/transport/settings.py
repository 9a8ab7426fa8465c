"""What the door accepts: sizes, times and policies, the same for every transport where they mean the same."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.access.csrf import CsrfPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class CorsSettings:
    """Which other sites' pages may read answers. Without any origin, none may."""

    origins: frozenset[str] = frozenset()
    """Origins as browsers send them, such as `https://portal.example`; `*` allows all, then without credentials."""
    credentials: bool = False
    """Whether cookies and authorization may come along."""
    max_age_s: int = 600
    """How long a browser may remember a preflight's answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketSettings:
    """What one graphql-transport-ws connection may take."""

    init_timeout_s: float = 3.0
    """Time for `connection_init` after the handshake."""
    max_operations: int = 100
    """Operations open at once on one connection."""
    max_message_bytes: int = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSettings:
    """How long-lived answers are kept alive and given up."""

    heartbeat_s: float = 10.0
    """Longest silence on a stream before a heartbeat is sent."""
    send_timeout_s: float = 30.0
    """How long one message may wait for a client to read before the client is given up as too slow."""
    max_reservations: int = 1_000
    """Single connections (graphql-sse) of this process, promised or open."""
    unopened_s: float = 30.0
    """How long a promised connection waits for its reader."""
    max_operations: int = 100
    """Operations open at once on one single connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportSettings:
    """Everything about the door that is configuration."""

    max_body_bytes: int = 1 << 20
    """Size of a request's body, before and after it is decompressed."""
    max_header_bytes: int = 32 << 10
    max_headers: int = 100
    max_json_depth: int = 100
    """Nesting of `variables` and `extensions`."""
    max_operation_name: int = 256
    receive_timeout_s: float = 10.0
    """Time for a whole request to arrive."""
    max_unsent_bytes: int = 256 << 20
    """What large answers may take together, from when they are read until clients have them; then more is OVERLOADED."""
    compress_from_bytes: int | None = None
    """Answers of this size and more are gzipped where accepted; None leaves it to a proxy."""
    csrf: CsrfPolicy = CsrfPolicy.FETCH_METADATA
    cors: CorsSettings = field(default_factory=CorsSettings)
    websocket: WebSocketSettings = field(default_factory=WebSocketSettings)
    stream: StreamSettings = field(default_factory=StreamSettings)
