"""The common request, a POST of JSON whose answer is one JSON, without an ASGI cycle: bytes in, bytes out, no task.

Whatever isn't regular (another method or type, a stream, a refusal, a document that isn't known yet, a caller whose
credentials have to be looked up) is left to the ASGI application before anything has happened, so that there is one place
where each of these is decided.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.access.attempts import SOURCE, UNKNOWN
from gateway.access.caller import Caller
from gateway.errors import GatewayError, RequestRefused
from gateway.execution.message import GraphQLRequest, GraphQLResponse
from gateway.execution.ports import Flight
from gateway.short_way import READ_HEADERS, Ready, ShortWay
from gateway.transport.asgi import read_headers
from gateway.transport.cors import cors_headers
from gateway.transport.door import Door
from gateway.transport.exchange import CORRELATION_HEADER
from gateway.transport.graphql_request import read_post
from gateway.transport.media_type import Answer, negotiate
from gateway.transport.respond import Rendered, content_headers, render
from gateway.transport.single_connection import TOKEN_HEADER
from gateway.transport.unsent import UnsentAnswers

if TYPE_CHECKING:  # as in door.py
    from gateway.engine import Engine

_UNUSUAL = frozenset({"content-encoding", "transfer-encoding", "expect", "upgrade", TOKEN_HEADER})
"""Headers with which a request isn't a common one."""

_MOST_DOCUMENTS = 256
_DOCUMENT_BYTES = 8_192
"""Larger bodies are read anew each time."""

_AUTHORIZATION = b"\r\nauthorization: "


class _Body(msgspec.Struct):
    """The JSON of a request."""

    query: str
    operationName: str | None = None  # noqa: N815 - the wire's name
    variables: dict[str, Any] | None = None
    extensions: dict[str, Any] | None = None


@dataclass(slots=True)
class CommonHead:
    """What the head of a common request means, whatever its Authorization header says."""

    posts: FastPosts
    headers: dict[str, str]
    """Names in lower case. What each request has of its own (Authorization, the request's name) is empty or as it came."""
    correlation: str | None
    """The name that the client gave to the request."""
    is_plain: bool
    """Whether no header decides how a query is answered, beside those that subgraphs are told of."""
    length: int
    """Bytes of the body."""
    answer: Answer
    is_legacy: bool
    keep_alive: bool
    cors: tuple[tuple[bytes, bytes], ...]
    lines: bytes
    """Header lines of every answer with data."""
    start: bytes = b""
    """What every answer with data starts with, from the status to the request's name, and beside it what it was made of."""
    standard: object = None


@dataclass(slots=True)
class CommonHeads:
    """Heads of common requests that were seen before, by their bytes without the Authorization header's value.

    A client's heads hardly differ in anything else. Only those that a parser found whole and regular are kept.
    """

    most: int = 512
    max_bytes: int = 2_048
    """Longer heads are not kept."""
    _heads: dict[bytes, CommonHead] = field(default_factory=dict)

    def find(self, data: bytes) -> tuple[CommonHead, str | None, bytes] | None:
        """Return what the head at the start of some bytes means, its Authorization, and the body; None if unknown.

        The Authorization is as it came: only of one that is known is anything proven.
        """
        # Authorization is most of a head: what follows it is looked for behind it.
        begin = data.find(_AUTHORIZATION)
        if begin >= 0:
            begin += len(_AUTHORIZATION)
            value_end = data.find(b"\r", begin)
            end = data.find(b"\r\n\r\n", value_end) + 4
            head = self._heads.get(data[:begin] + data[value_end:end])
            authorization: str | None = data[begin:value_end].decode("latin-1")
        else:
            end = data.find(b"\r\n\r\n") + 4
            key, cut = _split(data[:end])
            head = self._heads.get(key)
            authorization = None if cut is None else cut.decode("latin-1")
        if head is None or len(data) != end + head.length:
            return None
        return head, authorization, data[end:]

    def keep(self, data: bytes, head: CommonHead, authorization: str | None) -> None:
        """Remember what the head at the start of some bytes means, and which Authorization a parser found in it.

        One where something else would be cut out is not kept: a name in other capitals, a second header of that name.
        """
        end = data.find(b"\r\n\r\n") + 4
        if 4 <= end <= self.max_bytes and len(data) == end + head.length:
            key, cut = _split(data[:end])
            if (None if cut is None else cut.decode("latin-1")) == authorization:
                if len(self._heads) >= self.most:
                    self._heads.clear()
                self._heads[key] = head


def _split(head: bytes) -> tuple[bytes, bytes | None]:
    """Cut the value of the Authorization header out of a head."""
    begin = head.find(_AUTHORIZATION)
    if begin < 0:
        begin = head.find(b"\r\nAuthorization: ")
        if begin < 0:
            return head, None
    begin += len(_AUTHORIZATION)
    end = head.find(b"\r\n", begin)
    return head[:begin] + head[end:], head[begin:end]


class FastPosts:
    """Begins the common requests to one GraphQL endpoint."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._decode = msgspec.json.Decoder(_Body).decode
        self._known = getattr(door.authenticate, "known", None)
        """Returns the caller of a request's headers, if nothing has to be looked up."""
        self.load = door.load
        """What requests count in."""
        self.meter = door.meter
        """What counts answers."""
        self.compresses = door.settings.compress_from_bytes is not None
        """Whether answers may have to be compressed."""
        self._engine: Engine | None = None
        """Whose queries the next ones begin."""
        self._ready: dict[bytes, Ready] = {}
        """Bodies that held a document and nothing else: those of one document are equal, and often come again."""

    def read_head(
        self, raw: Sequence[tuple[bytes, bytes]], *, keep_alive: bool
    ) -> tuple[CommonHead, str | None] | None:
        """Return what a request's headers mean, and its Authorization; None where it isn't a common one."""
        settings = self._door.settings
        if (
            len(raw) > settings.max_headers
            or sum(len(name) + len(value) + 4 for name, value in raw) > settings.max_header_bytes
        ):
            return None
        headers = read_headers(raw)
        host, length = headers.get("host"), headers.get("content-length", "")
        if (
            headers.get("content-type") != "application/json"
            or host is None
            or "," in host
            or not _UNUSUAL.isdisjoint(headers)
            or not length.isdecimal()
            or len(length) > 8
            or int(length) > settings.max_body_bytes
        ):
            return None
        try:
            acceptable = negotiate(headers.get("accept", ""))
        except GatewayError:
            return None
        if acceptable.single is None or acceptable.streaming is not None:
            return None
        authorization = headers.get("authorization")
        cors = cors_headers(headers, settings.cors)
        given = [*content_headers(acceptable.single), (b"cache-control", b"no-store"), *cors]
        lines = b"".join([b"%b: %b\r\n" % each for each in given])
        correlation = headers.get(CORRELATION_HEADER)
        # Those of a request are a copy: made at the size that it will have.
        headers |= {SOURCE: UNKNOWN, CORRELATION_HEADER: correlation or ""}
        if authorization is not None:
            headers["authorization"] = ""
        head = CommonHead(
            self,
            headers,
            correlation,
            READ_HEADERS.isdisjoint(headers),
            int(length),
            acceptable.single,
            acceptable.is_legacy,
            keep_alive,
            cors,
            lines,
        )
        return head, authorization

    def begin(
        self,
        head: CommonHead,
        authorization: str | None,
        correlation: str,
        body: bytes,
        done: Callable[[GraphQLResponse], None],
    ) -> Flight | None:
        """Begin a whole request, or return None and leave it to the application.

        `done` is told the response; never before this returns. Cancelling stops what is in flight.
        """
        door = self._door
        if door.rates is not None or door.unsent.held_bytes > door.unsent.most_bytes:
            return None  # whoever may have to wait for a store does so in the application, which refuses as well
        headers = head.headers.copy()
        headers[CORRELATION_HEADER] = correlation
        if authorization is not None:
            headers["authorization"] = authorization
        caller = None if self._known is None else self._known(headers)
        if caller is None and (caller := self._look_up(headers)) is None:
            return None
        engine = door.engine()
        if engine is not self._engine:
            self._engine = engine
            self._ready.clear()
        ready = self._ready.get(body)
        if ready is None or not head.is_plain:
            return self._begin(engine.short_way, head, headers, caller, correlation, body, done)
        return ready.begin(caller, correlation, headers, done)

    def _begin(
        self,
        way: ShortWay,
        head: CommonHead,
        headers: dict[str, str],
        caller: Caller,
        correlation: str,
        body: bytes,
        done: Callable[[GraphQLResponse], None],
    ) -> Flight | None:
        """Begin a query that has variables, or a document that comes for the first time."""
        try:
            parsed = self._decode(body)
            if parsed.variables or parsed.extensions or parsed.operationName:
                request = read_post(body, headers, self._door.settings)
            else:
                request = GraphQLRequest(query=parsed.query, headers=headers)
                if head.is_plain and len(body) <= _DOCUMENT_BYTES and (ready := way.ready(parsed.query)) is not None:
                    if len(self._ready) >= _MOST_DOCUMENTS:
                        self._ready.clear()
                    self._ready[body] = ready
        except (GatewayError, RequestRefused, ValueError, RecursionError):
            return None
        return way.begin(request, caller, correlation, done)

    def _look_up(self, headers: dict[str, str]) -> Caller | None:
        """Return the caller of headers whose credentials weren't seen before, if nothing has to be waited for."""
        authorization = headers.get("authorization", "")
        if not (authorization.isascii() and (authorization.isprintable())):
            return None
        try:
            return _at_once(self._door.authenticate(headers))
        except GatewayError:
            return None

    def render(self, head: CommonHead, correlation: str, response: GraphQLResponse) -> Rendered:
        """Return a response as it is written."""
        return render(
            response,
            head.answer,
            correlation_id=correlation,
            headers=head.headers,
            cors=head.cors,
            is_legacy=head.is_legacy,
            compress_from_bytes=self._door.settings.compress_from_bytes,
        )

    @property
    def unsent(self) -> UnsentAnswers:
        """What paces large answers."""
        return self._door.unsent


def _at_once(looking_up: Coroutine[Any, Any, Caller]) -> Caller | None:
    """Return the caller if nothing has to be waited for; None otherwise, and then it is looked up anew in a task."""
    try:
        looking_up.send(None)
    except StopIteration as found:
        caller: Caller = found.value
        return caller
    except RuntimeError:
        # Timeouts and groups need a task.
        return None
    looking_up.close()
    return None
