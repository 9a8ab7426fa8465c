"""graphql-sse's single connection mode: PUT reserves, GET reads, POST starts and DELETE stops operations.

<https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md#single-connection-mode>
"""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs

from gateway.access.caller import Caller
from gateway.access.csrf import prevent_csrf
from gateway.errors import GatewayError
from gateway.execution.message import GraphQLResponse
from gateway.transport.disconnect import CancelOnDisconnect
from gateway.transport.door import Door
from gateway.transport.exchange import Exchange
from gateway.transport.graphql_request import check_content_type, read_post
from gateway.transport.media_type import Answer, negotiate
from gateway.transport.paced import one
from gateway.transport.request_body import ClientDisconnected, receive_body
from gateway.transport.reservations import Reservation, no_such_stream
from gateway.transport.respond import respond, send_body
from gateway.transport.resume import resumed
from gateway.transport.sse import SharedEventStream
from gateway.transport.stream import stream

TOKEN_HEADER = "x-graphql-event-stream-token"  # noqa: S105 - the name of a header

_MAX_ID = 256


def stream_token(exchange: Exchange) -> str | None:
    """Return the token that makes a request one of single connection mode: a header, or a parameter of EventSource's."""
    return exchange.headers.get(TOKEN_HEADER) or _parameter(exchange, "token")


async def reserve(exchange: Exchange, door: Door) -> None:
    """Answer PUT: promise a connection, 201 with its token."""
    door.drain.check()
    caller = await door.authenticate(exchange.headers)
    token = door.reservations.reserve(_owner(caller))
    await _answer(exchange, 201, token.encode())


async def serve_single(exchange: Exchange, door: Door, token: str) -> None:
    """Answer GET, POST and DELETE under a token."""
    caller = await door.authenticate(exchange.headers)
    reservation = door.reservations.find(token, _owner(caller))
    match exchange.method:
        case "GET":
            await _read(exchange, door, token, reservation, caller)
        case "POST":
            await _start(exchange, door, reservation, caller)
        case "DELETE":
            reservation.release(_operation_id(_parameter(exchange, "operationId")))
            await _answer(exchange, 200)
        case _:
            raise GatewayError("METHOD_NOT_ALLOWED", headers={"Allow": "GET, POST, PUT, DELETE"})


def _owner(caller: Caller) -> tuple[str | None, ...]:
    """Return whose a connection is: a new token of the same subject may go on with it, nobody else's."""
    return (caller.issuer, caller.subject, caller.tenant)


async def _read(exchange: Exchange, door: Door, token: str, reservation: Reservation, caller: Caller) -> None:
    if negotiate(exchange.headers.get("accept", "")).streaming is not Answer.EVENTS:
        raise GatewayError("NOT_ACCEPTABLE")
    prevent_csrf(exchange.headers, door.settings.csrf)
    if reservation.is_open:
        raise GatewayError("CONFLICT", "This stream is already open.")
    async with asyncio.TaskGroup() as operations:
        reservation.open(operations)
        try:
            await stream(exchange, door, reservation.drawn(), SharedEventStream(reservation), caller=caller)
        except ClientDisconnected:
            pass
        finally:
            door.reservations.end(token)


async def _start(exchange: Exchange, door: Door, reservation: Reservation, caller: Caller) -> None:
    door.drain.check()
    check_content_type(exchange.headers)
    body = await receive_body(exchange.receive, exchange.headers, door.settings)
    request = read_post(body, exchange.headers, door.settings)
    identity = _operation_id(request.extensions.get("operationId"))
    reservation.claim(identity, door.settings.stream.max_operations)
    is_running = False
    try:
        async with CancelOnDisconnect(exchange.receive):
            if door.rates is not None:
                await door.rates.take(caller)
            with door.load:
                result = await door.engine().subscribe(resumed(request), caller)
            if not isinstance(result, GraphQLResponse):
                is_running = await reservation.run(identity, result, exchange.correlation_id, caller)
            elif result.has_data:
                is_running = await reservation.run(identity, one(result), exchange.correlation_id, caller)
    finally:
        if not is_running:
            reservation.release(identity)
    if is_running:
        await _answer(exchange, 202)
    elif isinstance(result, GraphQLResponse):
        # Refused, or nobody reads the stream by now: what a mutation did is told all the same.
        media_type = negotiate(exchange.headers.get("accept", "")).single or Answer.JSON
        await respond(exchange, result, media_type, unsent=door.unsent)
    else:
        raise no_such_stream()


async def _answer(exchange: Exchange, status: int, body: bytes = b"") -> None:
    identity = (b"x-correlation-id", exchange.correlation_id.encode())
    await send_body(exchange.send, status, b"text/plain; charset=utf-8", body, [identity, *exchange.cors])


def _operation_id(given: object) -> str:
    if not isinstance(given, str) or not 0 < len(given) <= _MAX_ID:
        raise GatewayError("BAD_REQUEST", "The operation has no `operationId`.")
    return given


def _parameter(exchange: Exchange, name: str) -> str | None:
    query_string: bytes = exchange.scope["query_string"]
    if name.encode() not in query_string:
        return None
    try:
        values = parse_qs(query_string.decode("ascii"), max_num_fields=20, errors="strict").get(name)
    except ValueError:
        raise GatewayError("BAD_REQUEST", "The query string is not percent-encoded UTF-8.") from None
    return values[0] if values else None
