"""Refuse a WebSocket before it opens: an ordinary HTTP answer in the shape of every other error."""

from __future__ import annotations

from gateway.errors import GatewayError
from gateway.execution.message import refusal
from gateway.transport.asgi import Send, write_headers


async def refuse_handshake(send: Send, error: GatewayError, correlation_id: str) -> None:
    """Answer the handshake with an error instead of 101.

    <https://asgi.readthedocs.io/en/latest/extensions.html#websocket-denial-response>
    """
    response = refusal(error, correlation_id)
    headers = {**response.headers, "Content-Type": "application/json; charset=utf-8"}
    await send(
        {
            "type": "websocket.http.response.start",
            "status": response.http_status,
            "headers": write_headers(headers),
        }
    )
    await send({"type": "websocket.http.response.body", "body": response.body()})
