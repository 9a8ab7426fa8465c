"""Open a subgraph at a URL with the transport that suits it: lean for plain HTTP, httpx2 for TLS and for streams."""

from __future__ import annotations

import ssl

from gateway.upstream.http import HttpSubgraph, Identify
from gateway.upstream.httpx_transport import HttpxTransport
from gateway.upstream.lean_transport import LeanTransport
from gateway.upstream.subscribe import RemoteStreams
from gateway.upstream.transport import HttpTransport

MAX_STREAMS = 1_000
"""Subscriptions over server-sent events at once. They last, so they have connections of their own."""


def remote_subgraph(
    url: str,
    *,
    max_connections: int = 64,
    identify: Identify | None = None,
    trust: ssl.SSLContext | None = None,
) -> HttpSubgraph:
    """Return a client for the subgraph at an http or https URL; policies go around it.

    `identify` makes the header that names the caller. `trust` says whose certificates are accepted, and which is shown.
    """
    transport: HttpTransport
    if url.startswith("http://"):
        transport = LeanTransport(url, max_connections=max_connections)
    else:
        transport = HttpxTransport(url, max_connections=max_connections, trust=trust)
    streams = HttpxTransport(url, max_connections=MAX_STREAMS, trust=trust)
    subscribe = RemoteStreams(url, streams, trust=trust).subscribe
    return HttpSubgraph(transport, subscribe=subscribe, owned=(streams,), identify=identify)
