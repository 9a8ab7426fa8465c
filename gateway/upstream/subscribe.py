"""A subscription to a remote subgraph: over a WebSocket, or over server-sent events where it has none."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from contextlib import aclosing

from gateway.execution.ports import RequestContext, SubgraphAnswer, SubgraphRequest
from gateway.upstream.sse_stream import stream_by_events
from gateway.upstream.stream_limits import StreamLimits
from gateway.upstream.transport import StreamTransport
from gateway.upstream.websocket_stream import NoWebSocket, stream_by_websocket


class RemoteStreams:
    """Starts subscriptions at one URL."""

    def __init__(
        self,
        url: str,
        transport: StreamTransport,
        *,
        limits: StreamLimits | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        """`trust` is for WebSockets what it is for the transport."""
        self._trust = trust
        self._url = url
        self._transport = transport
        self._limits = limits or StreamLimits()
        self.open = 0
        """Subscriptions that go on."""

    async def subscribe(
        self, request: SubgraphRequest, context: RequestContext
    ) -> AsyncGenerator[SubgraphAnswer, None]:
        """Yield an answer per event. Raises SubgraphFailure when the stream can't start or breaks."""
        self.open += 1
        try:
            try:
                async with aclosing(self._by_websocket(request, context)) as answers:
                    async for answer in answers:
                        yield answer
                    return
            except NoWebSocket:
                pass
            async with aclosing(stream_by_events(self._transport, request, context, self._limits)) as answers:
                async for answer in answers:
                    yield answer
        finally:
            self.open -= 1

    def _by_websocket(self, request: SubgraphRequest, context: RequestContext) -> AsyncGenerator[SubgraphAnswer, None]:
        return stream_by_websocket(
            self._url,
            request,
            context,
            connect_timeout_s=self._limits.connect_timeout_s,
            max_bytes=self._limits.max_bytes,
            trust=self._trust,
        )
