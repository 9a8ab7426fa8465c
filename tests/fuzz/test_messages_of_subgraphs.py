"""Whatever a subgraph says over a WebSocket is an answer or a failure of that subgraph, over a real connection."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing

from fuzz_inputs import fuzzed, warped_text
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from gateway.access.caller import ANONYMOUS
from gateway.execution.ports import RequestContext, SubgraphAnswer, SubgraphFailure, SubgraphRequest
from gateway.federation.plan import OperationKind
from gateway.upstream.stream_limits import StreamLimits
from gateway.upstream.subgraph_sockets import SubgraphSockets
from gateway.upstream.websocket_stream import Dial, NoWebSocket

MESSAGES = [
    {"type": "connection_ack", "payload": {}},
    {"type": "next", "id": "1", "payload": {"data": {"a": 1}}},
    {"type": "error", "id": "1", "payload": [{"message": "m"}]},
    {"type": "ping"},
    {"type": "pong", "payload": None},
    {"type": "complete", "id": "1"},
]
SAID = st.lists(
    st.sampled_from(MESSAGES).map(lambda each: json.dumps(each).encode()) | warped_text(MESSAGES), max_size=5
)


@fuzzed
@given(said=SAID, is_binary=st.booleans())
def test_any_message_is_an_answer_or_a_failure(said: list[bytes], is_binary: bool) -> None:
    asyncio.run(listened([json.dumps(MESSAGES[0]).encode(), *said], is_binary=is_binary))


async def listened(said: list[bytes], *, is_binary: bool) -> None:
    async def speak(connection: ServerConnection) -> None:
        try:
            for each in said:
                await connection.send(each if is_binary else each.decode(errors="replace"))
        except ConnectionClosed:
            return

    async with serve(speak, "127.0.0.1", 0, subprotocols=["graphql-transport-ws"]) as server:  # type: ignore[list-item]
        port = server.sockets[0].getsockname()[1]
        request = SubgraphRequest(
            subgraph="s", kind=OperationKind.SUBSCRIPTION, document="subscription { a }", variables={}
        )
        context = RequestContext(correlation_id="c", deadline=asyncio.get_running_loop().time() + 60, caller=ANONYMOUS)
        limits = StreamLimits(connect_timeout_s=60, max_bytes=1 << 20)
        sockets = SubgraphSockets(Dial(url=f"http://127.0.0.1:{port}/", limits=limits))
        try:
            async with aclosing(sockets.subscribe(request, context)) as stream:
                async for answer in stream:
                    assert isinstance(answer, SubgraphAnswer)
        except (SubgraphFailure, NoWebSocket):
            pass
