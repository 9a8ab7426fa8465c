"""A subscription to a remote subgraph: over a WebSocket, or over server-sent events where it has none."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from contextlib import aclosing

from gateway.execution.ports import RequestContext, SubgraphAnswer, SubgraphRequest
from gateway.upstream.sse_stream import stream_by_events
from gateway.upstream.transport import StreamTransport
from gateway.upstream.websocket_stream import NoWebSocket, stream_by_websocket


class RemoteStreams:
    """Starts subscriptions at one URL."""

    def __init__(
        self,
        url: str,
        transport: StreamTransport,
        *,
        connect_timeout_s: float = 5.0,
        max_bytes: int = 8 << 20,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        """`max_bytes` limits one event, `trust` is for WebSockets what it is for the transport."""
        self._trust = trust
        self._url = url
        self._transport = transport
        self._connect_timeout_s = connect_timeout_s
        self._max_bytes = max_bytes
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
            async with aclosing(self._by_events(request, context)) as answers:
                async for answer in answers:
                    yield answer
        finally:
            self.open -= 1

    def _by_websocket(self, request: SubgraphRequest, context: RequestContext) -> AsyncGenerator[SubgraphAnswer, None]:
        return stream_by_websocket(
            self._url,
            request,
            context,
            connect_timeout_s=self._connect_timeout_s,
            max_bytes=self._max_bytes,
            trust=self._trust,
        )

    def _by_events(self, request: SubgraphRequest, context: RequestContext) -> AsyncGenerator[SubgraphAnswer, None]:
        return stream_by_events(
            self._transport,
            request,
            context,
            connect_timeout_s=self._connect_timeout_s,
            max_bytes=self._max_bytes,
        )
