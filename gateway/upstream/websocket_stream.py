"""graphql-transport-ws as its client: a WebSocket to a remote subgraph, opened and acknowledged, and the messages on it.

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidURI
from websockets.typing import Subprotocol

from gateway.execution.ports import RequestContext, SubgraphFailure, SubgraphRequest
from gateway.upstream.stream_limits import StreamLimits

PROTOCOL = Subprotocol("graphql-transport-ws")


class Message(msgspec.Struct):
    """A message of the protocol."""

    type: str
    id: str | None = None
    payload: msgspec.Raw = msgspec.Raw(b"null")
    """As it came; see `decoded`."""


_decode = msgspec.json.Decoder(Message).decode


class NoWebSocket(Exception):  # noqa: N818 - reads as what it is
    """The server speaks HTTP but no graphql-transport-ws; another protocol may do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dial:
    """Opens WebSockets to one URL."""

    url: str
    limits: StreamLimits
    trust: ssl.SSLContext | None = None

    async def open(self, request: SubgraphRequest, context: RequestContext) -> ClientConnection:
        """Return a connection with a request's headers on which operations may begin. The caller closes it.

        Raises NoWebSocket or SubgraphFailure.
        """
        connection = await self._connect(request, context)
        try:
            async with asyncio.timeout(self.limits.connect_timeout_s):
                await _initialise(connection, request, context)
        except BaseException as error:
            await connection.close()
            if isinstance(error, TimeoutError):
                raise SubgraphFailure("SYSTEM_TIMEOUT", "no connection_ack in time", is_sent=False) from error
            raise
        return connection

    async def _connect(self, request: SubgraphRequest, context: RequestContext) -> ClientConnection:
        headers = {"x-correlation-id": context.correlation_id, **dict(request.headers)}
        address = "ws" + self.url.removeprefix("http") if self.url.startswith("http") else self.url
        try:
            return await connect(
                address,
                subprotocols=[PROTOCOL],
                additional_headers=headers,
                open_timeout=self.limits.connect_timeout_s,
                close_timeout=1,
                max_size=self.limits.max_bytes,
                proxy=None,
                ssl=self.trust if address.startswith("wss") else None,
            )
        except (InvalidHandshake, InvalidMessage) as error:
            raise NoWebSocket(str(error)) from error
        except TimeoutError as error:
            raise SubgraphFailure("SYSTEM_TIMEOUT", "no WebSocket in time", is_sent=False) from error
        except (OSError, InvalidURI) as error:
            raise SubgraphFailure("SYSTEM_UNAVAILABLE", f"{type(error).__name__}: {error}", is_sent=False) from error


async def _initialise(connection: ClientConnection, request: SubgraphRequest, context: RequestContext) -> None:
    payload = {"headers": dict(request.headers), "correlationId": context.correlation_id}
    await send(connection, {"type": "connection_init", "payload": payload})
    async for message in messages(connection):
        match message.type:
            case "connection_ack":
                return
            case "ping":
                await send(connection, {"type": "pong"})
            case _:
                raise SubgraphFailure("SYSTEM_BAD_RESPONSE", unexpected(message), is_sent=False)


async def messages(connection: ClientConnection) -> AsyncGenerator[Message, None]:
    """Yield messages; the server's closing of the connection, for whatever reason, is a failure."""
    while True:
        try:
            text = await connection.recv()
        except ConnectionClosed as closed:
            raise _failure(closed) from closed
        try:
            message = _decode(text)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise SubgraphFailure("SYSTEM_BAD_RESPONSE", f"no message: {error}", is_sent=True) from error
        yield message


def decoded(payload: bytes) -> Any:
    """Return the JSON value of a payload. Raises SubgraphFailure."""
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise SubgraphFailure("SYSTEM_BAD_RESPONSE", f"not JSON: {error}", is_sent=True) from error


def unexpected(message: Message) -> str:
    """Return what to log of a message that isn't one here."""
    return f"an unexpected message, {message.type[:50]!r}"


async def send(connection: ClientConnection, message: dict[str, object]) -> None:
    """Send a message. Raises SubgraphFailure."""
    await send_text(connection, orjson.dumps(message))


async def send_text(connection: ClientConnection, text: bytes) -> None:
    """Send the JSON text of a message. Raises SubgraphFailure."""
    try:
        await connection.send(text, text=True)
    except ConnectionClosed as closed:
        raise _failure(closed) from closed


def _failure(closed: ConnectionClosed) -> SubgraphFailure:
    """Return what it means that the server closed the connection."""
    received = closed.rcvd
    refused = received is not None and received.code in (4401, 4403)
    reason = f"closed: {received.code} {received.reason}" if received is not None else "connection lost"
    return SubgraphFailure("SYSTEM_AUTH_FAILED" if refused else "SYSTEM_UNAVAILABLE", reason, is_sent=True)
