"""A subscription to a remote subgraph over graphql-transport-ws, one connection for each.

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidURI
from websockets.typing import Subprotocol

from gateway.execution.ports import RequestContext, SubgraphAnswer, SubgraphFailure, SubgraphRequest

PROTOCOL = Subprotocol("graphql-transport-ws")
_ID = "1"


class NoWebSocket(Exception):  # noqa: N818 - reads as what it is
    """The server speaks HTTP but no graphql-transport-ws; another protocol may do."""


async def stream_by_websocket(
    url: str,
    request: SubgraphRequest,
    context: RequestContext,
    *,
    connect_timeout_s: float,
    max_bytes: int,
    trust: ssl.SSLContext | None = None,
) -> AsyncGenerator[SubgraphAnswer, None]:
    """Yield an answer per event.

    Raises NoWebSocket before anything was sent, SubgraphFailure when the stream can't start or breaks.
    """
    connection = await _connect(url, request, context, connect_timeout_s, max_bytes, trust)
    try:
        try:
            async with asyncio.timeout(connect_timeout_s):
                await _initialise(connection, request, context)
        except TimeoutError as error:
            raise SubgraphFailure("SYSTEM_TIMEOUT", "no connection_ack in time", is_sent=False) from error
        async for message in _messages(connection):
            match message:
                case {"type": "next", "id": "1", "payload": payload}:
                    yield SubgraphAnswer(payload)
                case {"type": "error", "id": "1", "payload": errors}:
                    yield SubgraphAnswer({"errors": errors})
                    return
                case {"type": "complete", "id": "1"}:
                    return
                case {"type": "ping"}:
                    await _send(connection, '{"type":"pong"}')
                case {"type": "pong"}:
                    pass
                case _:
                    raise SubgraphFailure("SYSTEM_BAD_RESPONSE", _unexpected(message), is_sent=True)
    finally:
        # Closing tells the server that nobody listens any more; `complete` first would only say the same.
        await connection.close()


async def _connect(
    url: str,
    request: SubgraphRequest,
    context: RequestContext,
    connect_timeout_s: float,
    max_bytes: int,
    trust: ssl.SSLContext | None,
) -> ClientConnection:
    headers = {"x-correlation-id": context.correlation_id, **dict(request.headers)}
    address = "ws" + url.removeprefix("http") if url.startswith("http") else url
    try:
        return await connect(
            address,
            subprotocols=[PROTOCOL],
            additional_headers=headers,
            open_timeout=connect_timeout_s,
            close_timeout=1,
            max_size=max_bytes,
            proxy=None,
            ssl=trust if address.startswith("wss") else None,
        )
    except (InvalidHandshake, InvalidMessage) as error:
        raise NoWebSocket(str(error)) from error
    except TimeoutError as error:
        raise SubgraphFailure("SYSTEM_TIMEOUT", "no WebSocket in time", is_sent=False) from error
    except (OSError, InvalidURI) as error:
        raise SubgraphFailure("SYSTEM_UNAVAILABLE", f"{type(error).__name__}: {error}", is_sent=False) from error


async def _initialise(connection: ClientConnection, request: SubgraphRequest, context: RequestContext) -> None:
    payload = {"headers": dict(request.headers), "correlationId": context.correlation_id}
    await _send(connection, orjson.dumps({"type": "connection_init", "payload": payload}).decode())
    async for message in _messages(connection):
        match message:
            case {"type": "connection_ack"}:
                break
            case {"type": "ping"}:
                await _send(connection, '{"type":"pong"}')
            case _:
                raise SubgraphFailure("SYSTEM_BAD_RESPONSE", _unexpected(message), is_sent=False)
    subscribe = b'{"id":"%b","type":"subscribe","payload":%b}' % (_ID.encode(), request.body)
    await _send(connection, subscribe.decode())


async def _messages(connection: ClientConnection) -> AsyncGenerator[Any, None]:
    """Yield decoded messages; the server's closing of the connection, for whatever reason, is a failure."""
    while True:
        try:
            text = await connection.recv()
        except ConnectionClosed as closed:
            raise _failure(closed) from closed
        try:
            yield orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise SubgraphFailure("SYSTEM_BAD_RESPONSE", f"not JSON: {error}", is_sent=True) from error


def _unexpected(message: Any) -> str:
    """Return what to log of a message that isn't one here; it may be as deep as its sender likes."""
    kind = message.get("type") if isinstance(message, dict) else None
    return f"an unexpected message, {kind[:50]!r}" if isinstance(kind, str) else "a message without a type"


async def _send(connection: ClientConnection, text: str) -> None:
    try:
        await connection.send(text)
    except ConnectionClosed as closed:
        raise _failure(closed) from closed


def _failure(closed: ConnectionClosed) -> SubgraphFailure:
    """Return what it means that the server closed the connection."""
    received = closed.rcvd
    refused = received is not None and received.code in (4401, 4403)
    reason = f"closed: {received.code} {received.reason}" if received is not None else "connection lost"
    return SubgraphFailure("SYSTEM_AUTH_FAILED" if refused else "SYSTEM_UNAVAILABLE", reason, is_sent=True)
