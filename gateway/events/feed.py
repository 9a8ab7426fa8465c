"""`GET /events/feed`: the log as a stream that is resumed by cursor, for consumers outside GraphQL such as analytics.

    curl -N -H 'authorization: Bearer KEY' '127.0.0.1:4000/events/feed?after=beginning&types=concord.invoice.paid.v1'

Each line is a CloudEvent with the attributes `cursor`, `sequence` and `recordedtime`; `Accept: text/event-stream` gives
the same as server-sent events, whose ids are the cursors. Empty lines, and comments, are heartbeats. A stream that
breaks off for a reason ends with a line `{"errors": [...]}`.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from gateway.errors import GatewayError
from gateway.events.contracts import EventContracts
from gateway.events.cursor import print_cursor
from gateway.events.event import print_event, print_instant
from gateway.events.log import EventFilter, EventLog
from gateway.events.refusal import refusal_response
from gateway.events.sight import Sight
from gateway.events.source_stream import EventStreams, Streamed, StreamedEvent

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

BEGINNING = "beginning"
_MAX_TYPES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedSettings:
    """Who may read the feed, and how it is kept alive."""

    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Name of a consumer to its key, at least 16 characters; the internal secret is good too."""
    heartbeat_s: float = 10.0
    send_timeout_s: float = 30.0
    """How long a reader may take nothing before it is cut off."""


async def _always() -> None:
    await asyncio.Event().wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedReader:
    """Who reads the feed."""

    sight: Sight | None = None
    """What of the events it sees; None: all."""
    until: Callable[[], Awaitable[None]] = _always
    """Returns once it may read no longer."""


Recognise = Callable[[Mapping[str, str]], Awaitable[FeedReader]]
"""Returns who has sent headers, names in lower case. Raises UNAUTHENTICATED, FORBIDDEN, AUTH_UNAVAILABLE."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a reader asks for."""

    reader: FeedReader
    follow: bool
    limit: int | None


class EventFeed:
    """The ASGI application behind /events/feed."""

    def __init__(
        self,
        log: EventLog,
        streams: EventStreams,
        contracts: EventContracts,
        *,
        secret: str,
        settings: FeedSettings,
        stopping: Callable[[], Awaitable[None]],
        recognise: Recognise | None = None,
    ) -> None:
        """`stopping` returns once this process begins to stop: readers then go on at another.

        Whoever has none of the keys is a reader if `recognise` says so.
        """
        self._log = log
        self._streams = streams
        self._types = contracts.types
        self._secrets = (secret, *settings.keys.values())
        self._settings = settings
        self._stopping = stopping
        self._recognise = recognise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from starlette.requests import Request  # noqa: PLC0415 - loaded for the first reader

        request = Request(scope, receive)
        try:
            reader = await self._authenticate(request)
            wanted, cursor, follow, limit = self._read(request)
            stream = self._streams.subscribe(wanted, cursor)
        except GatewayError as error:
            await refusal_response(error, request)(scope, receive, send)
            return
        is_sse = "text/event-stream" in request.headers.get("accept", "")
        media_type = b"text/event-stream; charset=utf-8" if is_sse else b"application/x-ndjson"
        headers = [(b"content-type", media_type), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        print_one = _print_sse if is_sse else _print_line
        leaving = asyncio.create_task(_left(receive))
        try:
            asked = _Asked(reader, follow, limit)
            async with aclosing(self._parts(stream, asked, leaving)) as parts:
                async for part in parts:
                    text = (b":\n\n" if is_sse else b"\n") if part is None else print_one(part)
                    async with asyncio.timeout(self._settings.send_timeout_s):
                        await send({"type": "http.response.body", "body": text, "more_body": True})
        except TimeoutError:
            return  # the server drops the connection of a response that does not end
        finally:
            leaving.cancel()
        await send({"type": "http.response.body", "body": b""})

    async def _authenticate(self, request: Request) -> FeedReader:
        """Return who reads. Raises METHOD_NOT_ALLOWED, UNAUTHENTICATED, FORBIDDEN, AUTH_UNAVAILABLE."""
        if request.method != "GET":
            raise GatewayError("METHOD_NOT_ALLOWED", "Use GET.", headers={"Allow": "GET"})
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        given = key.strip().encode()
        # All are compared, so that time tells nothing about which came near.
        matches = [hmac.compare_digest(given, secret.encode()) for secret in self._secrets]
        if scheme.lower() == "bearer" and any(matches):
            return FeedReader()
        if self._recognise is None:
            raise GatewayError("UNAUTHENTICATED", headers={"WWW-Authenticate": "Bearer"})
        return await self._recognise(dict(request.headers))

    def _read(self, request: Request) -> tuple[EventFilter, str | None, bool, int | None]:
        """Return filter, cursor, whether to go on with what comes, and the most events; raises BAD_USER_INPUT."""
        query = request.query_params
        unknown = sorted(query.keys() - {"after", "types", "systems", "follow", "limit"})
        if unknown:
            raise GatewayError("BAD_USER_INPUT", f"There is no parameter {unknown[0][:50]!r}.")
        types = None
        if "types" in query:
            types = frozenset(query["types"].split(",")[: _MAX_TYPES + 1])
            if strange := sorted(types - self._types):
                raise GatewayError("BAD_USER_INPUT", f"There are no events of the type {strange[0][:100]!r}.")
        if query.get("follow", "true") not in ("true", "false"):
            raise GatewayError("BAD_USER_INPUT", "`follow` is true or false.")
        limit = query.get("limit")
        if limit is not None and not (limit.isascii() and limit.isdigit() and 0 < len(limit) < 10 and int(limit)):
            raise GatewayError("BAD_USER_INPUT", "`limit` is a whole number above 0.")
        after = request.headers.get("last-event-id") or query.get("after") or None
        if after == BEGINNING:
            bounds = self._log.bounds()
            after = print_cursor(bounds.log_id, bounds.trimmed)
        systems = frozenset(query["systems"].split(",")) if "systems" in query else None
        wanted = EventFilter(types=types, systems=systems)
        return wanted, after, query.get("follow", "true") == "true", None if limit is None else int(limit)

    async def _parts(
        self, stream: AsyncGenerator[Streamed], asked: _Asked, leaving: asyncio.Task[None]
    ) -> AsyncGenerator[dict[str, Any] | None]:
        """Yield what to send: events, None for a heartbeat, and why the stream ends where it does not just end."""
        follow, limit, reader = asked.follow, asked.limit, asked.reader
        ending = asyncio.ensure_future(self._stopping())
        expired = asyncio.ensure_future(reader.until())
        head = self._log.bounds().head
        waiting: asyncio.Task[Streamed | None] | None = None
        count = 0
        try:
            while limit is None or count < limit:
                waiting = waiting or asyncio.create_task(_next(stream))
                # Without following there is nothing to wait for beyond what was there at the beginning.
                timeout_s = self._settings.heartbeat_s if follow else 0.5
                ends = {waiting, ending, leaving, expired}
                await asyncio.wait(ends, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
                if expired.done():
                    raise GatewayError("TOKEN_EXPIRED")
                if waiting.done():
                    streamed, waiting = waiting.result(), None
                    if not isinstance(streamed, StreamedEvent) or (not follow and streamed.recorded.position > head):
                        return
                    if reader.sight is None or await reader.sight.sees_event(streamed.recorded.event):
                        count += 1
                        yield _envelope(streamed)
                    if not follow and streamed.recorded.position == head:
                        return
                elif ending.done() or leaving.done() or not follow:
                    return
                else:
                    yield None
        except GatewayError as error:
            yield {"errors": [error.to_graphql_error()]}
        finally:
            ending.cancel()
            expired.cancel()
            if waiting is not None:
                waiting.cancel()
                await asyncio.wait({waiting})
            await stream.aclose()


async def _next(stream: AsyncGenerator[Streamed]) -> Streamed | None:
    return await anext(stream, None)


async def _left(receive: Receive) -> None:
    """Return once the reader is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _envelope(streamed: StreamedEvent) -> dict[str, Any]:
    recorded = streamed.recorded
    return {
        **print_event(recorded.event),
        "sequence": str(recorded.sequence),
        "recordedtime": print_instant(recorded.recorded_at),
        "cursor": streamed.cursor,
    }


def _print_line(part: dict[str, Any]) -> bytes:
    return orjson.dumps(part) + b"\n"


def _print_sse(part: dict[str, Any]) -> bytes:
    if "cursor" not in part:
        return b"event: error\ndata: %b\n\n" % orjson.dumps(part)
    return b"id: %b\ndata: %b\n\n" % (part["cursor"].encode(), orjson.dumps(part))
