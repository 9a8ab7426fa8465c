"""A subscription to a remote subgraph: over a WebSocket, or over server-sent events where it has none."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from contextlib import aclosing

from gateway.execution.ports import RequestContext, SubgraphAnswer, SubgraphRequest
from gateway.upstream.sse_stream import stream_by_events
from gateway.upstream.stream_limits import StreamLimits
from gateway.upstream.subgraph_sockets import SubgraphSockets
from gateway.upstream.transport import StreamTransport
from gateway.upstream.websocket_stream import Dial, NoWebSocket


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
        self._limits = limits or StreamLimits()
        self._sockets = SubgraphSockets(Dial(url=url, limits=self._limits, trust=trust))
        self._transport = transport
        self.open = 0
        """Subscriptions that go on."""

    async def subscribe(
        self, request: SubgraphRequest, context: RequestContext
    ) -> AsyncGenerator[SubgraphAnswer, None]:
        """Yield an answer per event. Raises SubgraphFailure when the stream can't start or breaks."""
        self.open += 1
        try:
            try:
                async with aclosing(self._sockets.subscribe(request, context)) as answers:
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
