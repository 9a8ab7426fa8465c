"""Open a subgraph at a URL with the transport that suits it: lean for plain HTTP, httpx2 for TLS and for streams."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from gateway.execution.ports import RequestContext, SubgraphAnswer, SubgraphRequest
from gateway.upstream.http import HttpSubgraph, Identify
from gateway.upstream.lean_transport import LeanTransport
from gateway.upstream.read_budget import ReadBudget
from gateway.upstream.stream_limits import StreamLimits
from gateway.upstream.transport import HttpTransport

if TYPE_CHECKING:
    from gateway.upstream.httpx_transport import HttpxTransport
    from gateway.upstream.subscribe import RemoteStreams

MAX_STREAMS = 1_000
"""Subscriptions over server-sent events at once. They last, so they have connections of their own."""


def remote_subgraph(
    url: str,
    *,
    max_connections: int = 64,
    identify: Identify | None = None,
    trust: ssl.SSLContext | None = None,
    limits: StreamLimits | None = None,
    budget: ReadBudget | None = None,
) -> HttpSubgraph:
    """Return a client for the subgraph at an http or https URL; policies go around it.

    `identify` makes the header that names the caller. `trust` says whose certificates are accepted, and which is shown.
    `limits` are those of subscriptions; `budget` bounds large answers together with those of other subgraphs.
    """
    transport: HttpTransport
    if url.startswith("http://"):
        transport = LeanTransport(url, max_connections=max_connections, budget=budget)
    else:
        from gateway.upstream.httpx_transport import HttpxTransport  # noqa: PLC0415 - plain HTTP does without

        transport = HttpxTransport(url, max_connections=max_connections, trust=trust, budget=budget)
    streams = _Streams(url, trust, limits)
    return HttpSubgraph(
        transport,
        subscribe=streams.subscribe,
        owned=(streams,),
        identify=identify,
        room=budget.room if budget else None,
    )


class _Streams:
    """Subscriptions at one URL. Most subgraphs have none, and what carries them is not loaded before the first."""

    def __init__(self, url: str, trust: ssl.SSLContext | None, limits: StreamLimits | None) -> None:
        self._url = url
        self._trust = trust
        self._limits = limits
        self._opened: tuple[RemoteStreams, HttpxTransport] | None = None

    def subscribe(self, request: SubgraphRequest, context: RequestContext) -> AsyncGenerator[SubgraphAnswer, None]:
        """Start a subscription."""
        self._opened = self._opened or self._open()
        return self._opened[0].subscribe(request, context)

    @property
    def is_streaming(self) -> bool:
        """Whether a subscription goes on."""
        return self._opened is not None and self._opened[0].open > 0

    def _open(self) -> tuple[RemoteStreams, HttpxTransport]:
        from gateway.upstream.httpx_transport import HttpxTransport, system_trust  # noqa: PLC0415 - see above
        from gateway.upstream.subscribe import RemoteStreams  # noqa: PLC0415

        trust = self._trust or system_trust()
        transport = HttpxTransport(self._url, max_connections=MAX_STREAMS, trust=trust)
        return RemoteStreams(self._url, transport, limits=self._limits, trust=trust), transport

    async def aclose(self) -> None:
        """Close all connections."""
        if self._opened is not None:
            await self._opened[1].aclose()
