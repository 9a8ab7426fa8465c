"""A subscription to a remote subgraph over server-sent events (graphql-sse, distinct connections).

https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

import orjson

from gateway.execution.ports import RequestContext, SubgraphAnswer, SubgraphFailure, SubgraphRequest
from gateway.upstream.http import failure_of_status, failure_of_transport, read_reply, wire_headers
from gateway.upstream.stream_limits import StreamLimits
from gateway.upstream.transport import HttpReply, NoAnswer, NotSent, StreamTransport


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event of a stream."""

    name: str
    data: str


async def stream_by_events(
    transport: StreamTransport,
    request: SubgraphRequest,
    context: RequestContext,
    limits: StreamLimits,
) -> AsyncGenerator[SubgraphAnswer, None]:
    """Yield an answer per event. Raises SubgraphFailure when the stream can't start or breaks."""
    headers = [(name, value) for name, value in wire_headers(request, context, None) if name != "accept"]
    headers.append(("accept", "text/event-stream, application/graphql-response+json;q=0.9, application/json;q=0.8"))
    try:
        answering = transport.stream(
            headers, request.body, head_timeout_s=limits.head_timeout_s, silence_s=limits.silence_s
        )
        async with aclosing(answering) as pieces:
            first = await anext(pieces)
            if "text/event-stream" not in first.headers.get("content-type", ""):
                try:
                    async with asyncio.timeout(limits.head_timeout_s):
                        answer = await _plain_answer(first, pieces, request, limits.max_bytes)
                except TimeoutError as error:
                    raise SubgraphFailure("SYSTEM_TIMEOUT", "no whole answer in time", is_sent=True) from error
                yield answer
                return
            if first.status != 200:
                raise failure_of_status(first.status, first.headers)
            async with aclosing(server_events(_bodies(pieces), limits.max_bytes)) as events:
                async for event in events:
                    if event.name == "complete":
                        return
                    if event.name in ("next", "message"):
                        yield SubgraphAnswer(_decoded(event.data), event.data.encode())
    except (NotSent, NoAnswer) as error:
        raise failure_of_transport(error) from error
    raise SubgraphFailure("SYSTEM_UNAVAILABLE", "the stream ended without `complete`", is_sent=True)


async def server_events(pieces: AsyncIterator[bytes], max_bytes: int) -> AsyncGenerator[ServerEvent, None]:
    """Parse a stream of bytes into events. Raises SubgraphFailure past `max_bytes` for one event.

    https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
    """
    # An unfinished line grows in place and only what comes is looked through: however small the pieces, each byte is read once.
    pending = bytearray()
    name, data = "message", list[str]()
    size = 0
    async for piece in pieces:
        end = piece.rfind(b"\n") + 1
        pending += piece[:end]
        lines = bytes(pending).replace(b"\r\n", b"\n").split(b"\n")[:-1] if end else ()
        for line in lines:
            if not line:
                if data or name != "message":
                    yield ServerEvent(name, "\n".join(data))
                name, data, size = "message", [], 0
                continue
            size += len(line)
            if size > max_bytes:
                raise _too_large(max_bytes)
            field, _, value = line.decode(errors="replace").partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                name = value
            elif field == "data":
                data.append(value)
        if end:
            pending = bytearray(piece[end:])
        else:
            pending += piece
        if size + len(pending) > max_bytes:
            raise _too_large(max_bytes)


def _too_large(max_bytes: int) -> SubgraphFailure:
    return SubgraphFailure("SYSTEM_BAD_RESPONSE", f"event of more than {max_bytes} bytes", is_sent=True)


async def _bodies(pieces: AsyncIterator[HttpReply]) -> AsyncGenerator[bytes, None]:
    async for piece in pieces:
        yield piece.body


async def _plain_answer(
    first: HttpReply, pieces: AsyncIterator[HttpReply], request: SubgraphRequest, max_bytes: int
) -> SubgraphAnswer:
    """Read an ordinary reply: the subgraph refused to start the stream."""
    body = bytearray()
    async for piece in pieces:
        body += piece.body
        if len(body) > max_bytes:
            raise SubgraphFailure("SYSTEM_BAD_RESPONSE", f"more than {max_bytes} bytes", is_sent=True)
    return read_reply(HttpReply(first.status, first.headers, bytes(body)), request)


def _decoded(data: str) -> object:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise SubgraphFailure("SYSTEM_BAD_RESPONSE", f"not JSON: {error}", is_sent=True) from error
