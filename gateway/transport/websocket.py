"""GraphQL over WebSocket, by graphql-transport-ws: many operations of any kind on one connection.

<https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md>
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from enum import Enum
from typing import assert_never

from gateway.access.attempts import SOURCE
from gateway.access.caller import ANONYMOUS, Caller
from gateway.access.csrf import CsrfPolicy
from gateway.access.lease import can_end, credentials_end
from gateway.errors import GatewayError
from gateway.execution.correlation import correlation_id
from gateway.execution.message import GraphQLResponse, refusal
from gateway.transport.asgi import Receive, Scope, Send, abort, read_headers
from gateway.transport.cors import is_foreign_origin
from gateway.transport.door import Door
from gateway.transport.exchange import CORRELATION_HEADER, source_of
from gateway.transport.graphql_request import read_request
from gateway.transport.handshake import refuse_handshake
from gateway.transport.header_limits import check_headers
from gateway.transport.paced import close, one
from gateway.transport.resume import resumed
from gateway.transport.websocket_message import (
    SUBPROTOCOL,
    BadMessage,
    Complete,
    Init,
    Ping,
    Pong,
    Subscribe,
    credentials,
    parse_message,
    print_message,
)

_LINGER_S = 0.1
"""How long a connection is kept when the process stops and nothing is being answered on it."""


class CloseCode(Enum):
    """Why a connection was closed: code and reason of the close frame."""

    GOING_AWAY = (1012, "Service restart")
    TOO_BIG = (1009, "Message too big")
    TRY_LATER = (1013, "Try again later")
    BAD_REQUEST = (4400, "Invalid message")
    UNAUTHORIZED = (4401, "Unauthorized")
    FORBIDDEN = (4403, "Forbidden")
    SUBPROTOCOL = (4406, "Subprotocol not acceptable")
    INIT_TIMEOUT = (4408, "Connection initialisation timeout")
    TAKEN = (4409, "Subscriber already exists")
    TOO_MANY_INITS = (4429, "Too many initialisation requests")


class _Closed(Exception):  # noqa: N818 - reads as what it is
    """Our side closes the connection."""

    def __init__(self, code: CloseCode, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason or code.value[1]


class _Gone(Exception):  # noqa: N818 - reads as what it is
    """The client has left."""


async def serve_websocket(scope: Scope, receive: Receive, send: Send, door: Door) -> None:
    """Carry one WebSocket connection to the GraphQL endpoint, from handshake to close."""
    await receive()  # websocket.connect
    headers = read_headers(scope["headers"])
    try:
        check_headers(scope, door.settings.max_header_bytes, door.settings.max_headers)
        door.drain.check()
        if door.settings.csrf is not CsrfPolicy.OFF and is_foreign_origin(headers, door.settings.cors):
            raise GatewayError("FORBIDDEN", "A page of another site may not open a connection.")
    except GatewayError as error:
        await refuse_handshake(send, error, correlation_id(headers.get(CORRELATION_HEADER)))
        return
    if SUBPROTOCOL not in scope["subprotocols"]:
        await send({"type": "websocket.accept"})
        await _close(send, _Closed(CloseCode.SUBPROTOCOL))
        return
    await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
    await _Session(scope, receive, send, door, headers).run()


async def _close(send: Send, closed: _Closed) -> None:
    reason = closed.reason.encode()[:120].decode(errors="ignore")
    await send({"type": "websocket.close", "code": closed.code.value[0], "reason": reason})


class _Session:
    """One connection: its caller, and the operations open on it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, door: Door, headers: Mapping[str, str]) -> None:
        self._scope = scope
        self._receive = receive
        self._transmit = send
        self._door = door
        self._headers = headers
        self._caller: Caller | None = None
        self._operations: dict[str, asyncio.Task[None]] = {}
        self._single = 0
        """Operations that have not begun to stream: queries and mutations, and who waits to learn which they are."""
        self._is_quiet = asyncio.Event()
        self._is_quiet.set()

    async def run(self) -> None:
        """Serve the connection until either side closes it; then stop whatever it started."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._end_with_process())
                await self._initialise()
                group.create_task(self._end_with_credentials())
                await self._serve(group)
        except* _Closed as closings:
            closed = closings.exceptions[0]
            assert isinstance(closed, _Closed)
            await self._close_or_drop(closed)
        except* _Gone:
            pass

    async def _close_or_drop(self, closed: _Closed) -> None:
        try:
            async with asyncio.timeout(1.0):
                await _close(self._transmit, closed)
        except TimeoutError:
            abort(self._scope)
        except OSError:
            pass  # the client left at the same moment

    async def _initialise(self) -> None:
        try:
            async with asyncio.timeout(self._door.settings.websocket.init_timeout_s):
                while True:
                    match await self._next_message():
                        case Init(payload):
                            break
                        case Ping(payload):
                            await self._send("pong", payload=payload)
                        case Pong() | Complete():
                            pass
                        case Subscribe():
                            raise _Closed(CloseCode.UNAUTHORIZED)
        except TimeoutError:
            raise _Closed(CloseCode.INIT_TIMEOUT) from None
        self._headers = {**self._headers, **credentials(payload or {}), SOURCE: source_of(self._scope)}
        try:
            self._door.drain.check()
            self._caller = await self._door.authenticate(self._headers)
        except GatewayError as error:
            raise _Closed(_close_code(error), f"{error.code}: {error.message}") from None
        await self._send("connection_ack")

    async def _serve(self, group: asyncio.TaskGroup) -> None:
        while True:
            match await self._next_message():
                case Init():
                    raise _Closed(CloseCode.TOO_MANY_INITS)
                case Ping(payload):
                    await self._send("pong", payload=payload)
                case Pong():
                    pass
                case Complete(identity):
                    operation = self._operations.pop(identity, None)
                    if operation is not None:
                        operation.cancel()
                case Subscribe(identity) as message:
                    if identity in self._operations:
                        raise _Closed(CloseCode.TAKEN, f"Subscriber for {identity} already exists")
                    if len(self._operations) >= self._door.settings.websocket.max_operations:
                        await self._refuse(identity, GatewayError("SUBSCRIPTION_LIMIT"))
                        continue
                    self._operations[identity] = group.create_task(self._operate(message))
                case other:
                    assert_never(other)

    async def _next_message(self) -> Init | Ping | Pong | Subscribe | Complete:
        event = await self._receive()
        if event["type"] == "websocket.disconnect":
            raise _Gone
        text = event.get("text")
        if text is None:
            raise _Closed(CloseCode.BAD_REQUEST, "Only text frames are understood")
        if len(text) > self._door.settings.websocket.max_message_bytes:
            raise _Closed(CloseCode.TOO_BIG)
        try:
            return parse_message(text)
        except BadMessage as problem:
            raise _Closed(CloseCode.BAD_REQUEST, f"Invalid message: {problem}") from None

    async def _operate(self, message: Subscribe) -> None:
        """Run one operation to its end and forget it. Its failures are its own; the connection goes on."""
        this = asyncio.current_task()
        correlation = correlation_id(None)
        try:
            await self._answer(message, correlation)
        except GatewayError as error:
            await self._refuse(message.id, error, correlation)
        except (_Closed, _Gone):
            raise
        except Exception as error:  # noqa: BLE001 - an operation's edge: a bug of ours is logged whole and shown masked
            await self._refuse(message.id, GatewayError("INTERNAL_SERVER_ERROR"), correlation, cause=error)
        finally:
            if self._operations.get(message.id) is this:
                del self._operations[message.id]

    async def _answer(self, message: Subscribe, correlation: str) -> None:
        headers = {**self._headers, CORRELATION_HEADER: correlation}
        request = resumed(read_request(message.payload, headers, self._door.settings))
        self._door.drain.check()
        caller = self._caller or ANONYMOUS
        if self._door.rates is not None:
            await self._door.rates.take(caller)
        self._single += 1
        self._is_quiet.clear()
        try:
            with self._door.load:
                result = await self._door.engine().subscribe(request, caller)
            if isinstance(result, GraphQLResponse):
                await self._answer_all(message, result)
                return
        finally:
            self._single -= 1
            if not self._single:
                self._is_quiet.set()
        await self._answer_all(message, result)

    async def _answer_all(self, message: Subscribe, result: GraphQLResponse | AsyncIterator[GraphQLResponse]) -> None:
        answers = one(result) if isinstance(result, GraphQLResponse) else result
        try:
            async for response in answers:
                if not response.has_data:  # refused, or a source stream that broke: `error` ends the operation
                    await self._send("error", message.id, response.errors)
                    return
                await self._send("next", message.id, response.payload(), is_due=response.is_write)
        finally:
            await close(answers)
        await self._send("complete", message.id)

    async def _refuse(
        self, identity: str, error: GatewayError, correlation: str = "", cause: Exception | None = None
    ) -> None:
        await self._send("error", identity, refusal(error, correlation or correlation_id(None), cause=cause).errors)

    async def _send(
        self, kind: str, identity: str | None = None, payload: object = None, *, is_due: bool = False
    ) -> None:
        """Send a message, once the client has room for it. Raises `GatewayError` where it is large and we have none for it."""
        text = print_message(kind, identity, payload)
        try:
            with self._door.unsent.taken(len(text), is_due=is_due):
                async with asyncio.timeout(self._door.settings.stream.send_timeout_s):
                    await self._transmit({"type": "websocket.send", "text": text})
        except TimeoutError:
            raise _Closed(CloseCode.TRY_LATER, "SLOW_CONSUMER") from None
        except OSError:
            raise _Gone from None

    async def _end_with_process(self) -> None:
        await self._door.drain.begun()
        await self._is_quiet.wait()  # what is being read or written is told first …
        await asyncio.sleep(_LINGER_S)  # … and what is on its way is told to go elsewhere
        raise _Closed(CloseCode.GOING_AWAY)

    async def _end_with_credentials(self) -> None:
        if self._caller is not None and can_end(self._caller):
            await credentials_end(self._caller)
            raise _Closed(CloseCode.UNAUTHORIZED, str(GatewayError("TOKEN_EXPIRED")))


def _close_code(error: GatewayError) -> CloseCode:
    match error.code:
        case "UNAUTHENTICATED" | "TOKEN_EXPIRED":
            return CloseCode.UNAUTHORIZED
        case "FORBIDDEN":
            return CloseCode.FORBIDDEN
        case _:
            return CloseCode.TRY_LATER
