"""The table `[subgraphs.*]` of the configuration file: who a subgraph is, where it answers, how it may be called."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

from msgspec import Meta, field

from gateway.table import Table


class BreakerSettings(Table, frozen=True, kw_only=True):
    """When a subgraph that fails is left alone, and for how long; then one fetch finds out how it is."""

    ratio: Annotated[float, Meta(gt=0, le=1)] = 0.5
    """Share of failures at which it is."""
    least: Annotated[int, Meta(ge=1)] = 20
    """Fetches below which it never is."""
    window_s: Annotated[float, Meta(gt=0)] = 10.0
    """Both are counted over the last so many seconds."""
    open_s: Annotated[float, Meta(gt=0)] = 5.0


class RetrySettings(Table, frozen=True, kw_only=True):
    """How fetches are repeated that failed: reads, writes with an idempotency key, and what was never sent."""

    retries: Annotated[int, Meta(ge=0)] = 2
    """Times that one fetch is repeated; 0 never repeats any."""
    backoff_s: Annotated[float, Meta(ge=0)] = 0.05
    """Pause before the first time, more or less; it doubles with each further one. A Retry-After goes before it."""
    budget: Annotated[float, Meta(ge=0, le=1)] = 0.2
    """Share of the fetches that may be repeated, so that a subgraph which is down isn't asked several times as often …"""
    saved: Annotated[int, Meta(ge=1)] = 10
    """… with so many repetitions in reserve."""


class SubgraphSettings(Table, frozen=True, kw_only=True):
    """One subgraph: who it is, where it answers, how it may be called."""

    hidden: ClassVar[frozenset[str]] = frozenset({"headers"})

    url: str | None = None
    """Its address, or those of its replicas with commas between. One that fails rests for 2 s, twice as long each further time."""
    in_process: str | None = None
    """Name of a graph the gateway carries itself, instead of a `url`; `concord` is the only one."""
    schema_path: Path | None = field(name="schema", default=None)
    """A file with its SDL; absent: `concord compose` asks the running subgraph for it, by `{ _service { sdl } }`."""
    system: str | None = None
    """The logical system of record named in errors; that of the ownership table, or the subgraph's name, if absent."""
    owner: str | None = None
    """Handle of the team to turn to, named in errors; the team of the ownership table if absent."""
    timeout_s: Annotated[float, Meta(gt=0)] = 10.0
    """How long one try of a fetch may take, and how long it may take to begin the answer to a subscription over server-sent events."""
    stream_silence_s: Annotated[float, Meta(gt=0)] = 300.0
    """How long a subscription over server-sent events may be silent; subgraphs send comments in between. Then it ends
    with SYSTEM_UNAVAILABLE. WebSockets are pinged."""
    share_subscriptions: bool = True
    """Whether equal subscriptions of callers with equal rights are one at the subgraph, and those that only have their
    headers in common go over one WebSocket. Who joins one that is open gets what comes from then on: a subgraph whose
    first event tells how things stand needs `false`."""
    max_connections: Annotated[int, Meta(ge=1)] = 64
    """Fetches, and so connections, at once."""
    max_waiting: Annotated[int, Meta(ge=0)] = 1_000
    """Fetches that may wait for one of them; what is beyond that is refused. See `limits.in_flight` as well."""
    breaker: BreakerSettings = BreakerSettings()
    retry: RetrySettings = RetrySettings()
    headers: Mapping[str, str] = field(default_factory=dict)
    """Fixed headers sent with every request."""
    forward_headers: tuple[str, ...] = ()
    """Names of client headers passed on unchanged."""
    speaks_for: frozenset[str] = frozenset()
    """Systems, as errors name them, whose failures it may tell of: identity knows whose customers it has not been told."""
    tls_authority: Path | None = None
    """Certificates (PEM) to trust for an https URL, in place of the system's."""
    tls_certificate: Path | None = None
    """Our own certificate (PEM), which is shown to it: mutual TLS."""
    tls_key: Path | None = None
    """The certificate's key, where that is not in the same file."""
    tell_caller: bool = True
    """Whether it is told for whom it is asked, by a signed X-Concord-Caller."""
    shown_codes: frozenset[str] = frozenset()
    """Error codes whose messages clients may read as the subgraph wrote them; others get a fixed sentence."""

    def __post_init__(self) -> None:
        if (self.url is None) == (self.in_process is None):
            raise ValueError("needs either `url` or `in_process`, not both")
        for url in self.urls:
            _check_address(url)

    @property
    def urls(self) -> tuple[str, ...]:
        """The addresses of its replicas; none where the gateway carries it itself."""
        return () if self.url is None else tuple(url.strip() for url in self.url.split(","))


def _check_address(url: str) -> None:
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"`url` must start with http:// or https://, not {url!r}")
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise ValueError(f"`url` {url!r} can't be asked: {error}") from None
    if not (has_host and url.isascii() and url.isprintable() and " " not in url):
        raise ValueError(f"`url` must name a host, in ASCII and without spaces, not {url!r}")
