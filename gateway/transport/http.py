"""GraphQL over HTTP: one request in, one answer or one stream of answers out.

<https://graphql.github.io/graphql-over-http/draft/>
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

from gateway.access.caller import Caller
from gateway.access.csrf import prevent_csrf
from gateway.engine import Engine
from gateway.errors import GatewayError, RequestRefused
from gateway.execution.message import GraphQLRequest, GraphQLResponse
from gateway.transport.asgi import Receive, Scope, Send
from gateway.transport.callback import PROTOCOL, read_callback
from gateway.transport.cors import preflight_headers
from gateway.transport.disconnect import CancelOnDisconnect
from gateway.transport.door import Door
from gateway.transport.exchange import Exchange, begin
from gateway.transport.graphql_request import check_content_type, read_get, read_post
from gateway.transport.header_limits import check_headers
from gateway.transport.media_type import Answer, negotiate
from gateway.transport.multipart import MultipartStream
from gateway.transport.paced import close, one
from gateway.transport.request_body import ClientDisconnected, receive_body
from gateway.transport.respond import respond, respond_refused
from gateway.transport.resume import resumed
from gateway.transport.single_connection import reserve, serve_single, stream_token
from gateway.transport.sse import EventStream
from gateway.transport.stream import stream

ALLOW = "GET, HEAD, POST, PUT, DELETE, OPTIONS"


async def serve_http(scope: Scope, receive: Receive, send: Send, door: Door) -> None:
    """Answer one HTTP request to the GraphQL endpoint."""
    exchange = begin(scope, receive, send, door.settings.cors)
    try:
        check_headers(scope, door.settings.max_header_bytes, door.settings.max_headers)
        _check_host(exchange)
        match exchange.method, stream_token(exchange):
            case "OPTIONS", _:
                await _options(exchange, door)
            case _, str(token):
                await serve_single(exchange, door, token)
            case "PUT", None:
                await reserve(exchange, door)
            case "POST" | "GET" | "HEAD", None:
                await _serve(exchange, door)
            case _:
                raise GatewayError("METHOD_NOT_ALLOWED", headers={"Allow": ALLOW})
    except ClientDisconnected:
        return
    except (GatewayError, RequestRefused) as error:
        await respond_refused(exchange, error)
    except Exception as error:  # noqa: BLE001 - the process's edge: a bug of ours is logged whole and shown masked
        await respond_refused(exchange, GatewayError("INTERNAL_SERVER_ERROR"), cause=error)


def _check_host(exchange: Exchange) -> None:
    """Refuse a request for no host or for several, as HTTP asks. <https://www.rfc-editor.org/rfc/rfc9112#section-3.2>"""
    host = exchange.headers.get("host")
    if (host is None and exchange.scope["http_version"] == "1.1") or (host is not None and "," in host):
        raise GatewayError("BAD_REQUEST", "The request must name one host.")


async def _serve(exchange: Exchange, door: Door) -> None:
    headers = exchange.headers
    acceptable = negotiate(headers.get("accept", ""))
    if exchange.method == "HEAD":  # a stream has no end to wait for, and a HEAD no body to stream
        acceptable = replace(acceptable, streaming=None, prefers_stream=False)
    is_post = exchange.method == "POST"
    if door.page is not None and acceptable.page and not is_post:
        await door.page(exchange.scope, exchange.receive, exchange.send)
        return
    if acceptable.single is None and acceptable.streaming is None:
        raise GatewayError("NOT_ACCEPTABLE")
    if acceptable.single is None:
        door.drain.check()
    door.unsent.check()
    door.load.check()
    if is_post:
        check_content_type(headers)
        caller = await door.authenticate(headers)
        if door.rates is not None:
            await door.rates.take(caller)
        body = await receive_body(exchange.receive, headers, door.settings)
        request = read_post(body, headers, door.settings)
    else:
        prevent_csrf(headers, door.settings.csrf)
        caller = await door.authenticate(headers)
        if door.rates is not None:
            await door.rates.take(caller)
        request = read_get(exchange.scope["query_string"], headers, door.settings)
    engine = door.engine()
    result: GraphQLResponse | AsyncIterator[GraphQLResponse]
    if acceptable.callback and "subscription" in request.extensions:
        await _call_back(exchange, door, engine, request, caller)
        return
    with door.load:
        async with CancelOnDisconnect(exchange.receive):
            if acceptable.streaming is None:
                result = await engine.execute(request, caller)
            else:
                result = await engine.subscribe(resumed(request), caller)
    if isinstance(result, GraphQLResponse):
        if acceptable.single is not None and not acceptable.prefers_stream:
            responding = respond(
                exchange,
                result,
                acceptable.single,
                is_legacy=acceptable.is_legacy,
                compress_from_bytes=door.settings.compress_from_bytes,
                unsent=door.unsent,
            )
            del result  # what is written of it is kept while the client reads, and nothing else
            await responding
            return
        size, is_due, result = sum(map(len, result.pieces())), result.is_write, one(result)
    else:
        size, is_due = 0, False
    wire = EventStream() if acceptable.streaming is Answer.EVENTS else MultipartStream()
    with door.unsent.taken(size, is_due=is_due):
        await stream(exchange, door, result, wire, caller=caller)


async def _call_back(exchange: Exchange, door: Door, engine: Engine, request: GraphQLRequest, caller: Caller) -> None:
    """Begin a subscription whose events are posted, once its receiver has confirmed it."""
    if door.callbacks is None:
        raise GatewayError("BAD_REQUEST", "Subscriptions over callbacks are not offered here.")
    callback = read_callback(request)
    result = await engine.subscribe(resumed(request), caller)
    if isinstance(result, GraphQLResponse):  # a refusal, or no subscription
        await respond(exchange, result, Answer.JSON, is_legacy=False)
        return
    try:
        await door.callbacks.confirm(callback)
    except GatewayError:
        await close(result)
        raise
    door.callbacks.begin(callback, result, caller, exchange.correlation_id)
    started = GraphQLResponse(data=None, headers={"X-Correlation-Id": exchange.correlation_id, PROTOCOL: "callback"})
    await respond(exchange, started, Answer.JSON, is_legacy=False)


async def _options(exchange: Exchange, door: Door) -> None:
    headers = exchange.headers
    allowed = preflight_headers(headers, door.settings.cors) if "access-control-request-method" in headers else ()
    identity = exchange.correlation_id.encode()
    await exchange.send(
        {
            "type": "http.response.start",
            "status": 204,
            "headers": [(b"allow", ALLOW.encode()), (b"x-correlation-id", identity), *allowed],
        }
    )
    await exchange.send({"type": "http.response.body", "body": b""})
