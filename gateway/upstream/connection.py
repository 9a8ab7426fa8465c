"""One HTTP/1.1 connection to a subgraph: one request at a time, and exactly what became of it.

Requests are not pipelined. Whatever goes wrong, the connection is closed and never used again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, cast

import httptools

from gateway.upstream.transport import HttpReply, NoAnswer, TooLarge

_MAX_HEAD_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Head:
    """What a parser made of the head of an answer whose body has a stated length."""

    status: int
    headers: Mapping[str, str]
    length: int


@dataclass(slots=True)
class KnownHeads:
    """Heads that were parsed before, by their bytes.

    A server's heads differ in little more than the length and the second of the date, so most were seen a moment ago.
    Only heads that a parser found whole and regular are kept: what it would say of the same bytes again is known.
    """

    most: int = 512
    max_bytes: int = 2_048
    """Longer heads are not kept."""
    _heads: dict[bytes, Head] = field(default_factory=dict)

    def find(self, head: bytes) -> Head | None:
        """Return what is known of a head, its empty line included."""
        return self._heads.get(head)

    def keep(self, head: bytes, meaning: Head) -> None:
        """Remember a head."""
        if len(self._heads) >= self.most:
            self._heads.clear()
        if len(head) <= self.max_bytes:
            self._heads[head] = meaning


class Answer(Protocol):
    """Where an answer goes: a future, or what calls on at once. Set once, and last: it may send the next request."""

    def done(self) -> bool:
        """Tell whether it is set, or nobody waits any more."""

    def set_result(self, result: HttpReply, /) -> None:
        """Take the whole answer."""

    def set_exception(self, exception: Exception, /) -> None:
        """Take NoAnswer or TooLarge."""


class Connection(asyncio.Protocol):
    """Sends a request's bytes and reads the answer. Idle between requests."""

    def __init__(self, max_bytes: int, on_lost: Callable[[Connection], None], known: KnownHeads) -> None:
        self._max_bytes = max_bytes
        self._on_lost = on_lost
        self._known = known
        self._transport: asyncio.Transport | None = None
        self._answer: Answer | None = None
        self._is_whole = False
        """Whether the answer came, whole."""
        self._parsed: HttpReply | None = None
        """An answer that the parser has come to the end of."""
        self._parser: httptools.HttpResponseParser | None = None
        self._head: Head | None = None
        """Of an answer that is read without a parser, since its head is known."""
        self._raw_head = b""
        """The head's bytes where they came in one piece; what may be remembered."""
        self._headers: dict[str, str] = {}
        self._chunks: list[bytes] = []
        self._size = 0
        self._has_head = False
        self.idle_since = 0.0
        """Event loop's clock; meaningful while nothing is under way."""
        self.deadline = 0.0
        """Event loop's clock; when what is under way has to end."""

    @property
    def is_usable(self) -> bool:
        """Whether another request can be sent: open, and nothing is under way."""
        return self._answer is None and self._transport is not None and not self._transport.is_closing()

    @property
    def is_busy(self) -> bool:
        """Whether a request is under way."""
        return self._answer is not None

    def send(self, request: bytes, answer: Answer) -> None:
        """Send a whole request. The whole answer is set as the result, or NoAnswer or TooLarge as the exception.

        Whoever waits for it calls `finish` afterwards, however the waiting ended.
        """
        assert self._transport is not None
        assert self._answer is None
        self._answer = answer
        self._is_whole = False
        self._parser = self._head = self._parsed = None
        self._chunks = []
        self._size = 0
        self._transport.write(request)

    def finish(self) -> None:
        """End a request. One without an answer closes the connection: the rest must never be taken for the next."""
        assert self._answer is not None
        if not self._is_whole:
            self.close()
        self._answer = None

    def fail(self, error: Exception) -> None:
        """Fail what is under way, and close."""
        self.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)

    def close(self) -> None:
        """Close at once; whatever is under way fails."""
        if self._transport is not None:
            self._transport.abort()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Read what came."""
        if self._answer is None or self._answer.done():
            # Nobody asked: an answer that is too long by some bytes, or a server that speaks first.
            self.close()
            return
        if self._parser is None:
            if self._head is not None:
                self._take(data, self._head)
                return
            end = data.find(b"\r\n\r\n") + 4
            self._raw_head = data[:end] if end >= 4 else b""
            head = self._head = self._known.find(self._raw_head)
            if head is not None:
                if len(data) - end == head.length <= self._max_bytes:
                    # Nearly all answers come so: whole, and after a head like one before.
                    self._is_whole = True
                    self._answer.set_result(HttpReply(head.status, head.headers, data[end:]))
                else:
                    self._take(data[end:], head)
                return
            self._parser = httptools.HttpResponseParser(self)
            self._reset()
        self._parse(data, self._parser)

    def _take(self, data: bytes, head: Head) -> None:
        """Take a part of a body of known length."""
        self._size += len(data)
        if head.length > self._max_bytes:
            self.fail(TooLarge(f"more than {self._max_bytes} bytes"))
        elif self._size < head.length:
            self._chunks.append(data)
        else:
            body = b"".join([*self._chunks, data]) if self._chunks else data
            if self._size > head.length:
                # Bytes that nobody asked for: they would be taken for the next answer.
                self.close()
                body = body[: head.length]
            self._hand_over(HttpReply(head.status, head.headers, body))

    def _parse(self, data: bytes, parser: httptools.HttpResponseParser) -> None:
        self._size += len(data)
        if self._size > self._max_bytes:
            self.fail(TooLarge(f"more than {self._max_bytes} bytes"))
            return
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if self._parsed is None:
                self.fail(NoAnswer(f"not HTTP: {error}"))
            else:
                self.close()  # the answer is whole; what came after it was nobody's
        if self._parsed is not None:
            self._hand_over(self._parsed)
        elif not self._has_head and self._size > _MAX_HEAD_BYTES:
            self.fail(NoAnswer(f"headers of more than {_MAX_HEAD_BYTES} bytes"))

    def _hand_over(self, reply: HttpReply) -> None:
        assert self._answer is not None
        if not self._answer.done():
            self._is_whole = True
            self._answer.set_result(reply)

    def eof_received(self) -> bool:
        """Take the end of the stream for the end of a body that has no length."""
        if (
            self._parser is not None
            and self._has_head
            and not self._headers.keys() & {"content-length", "transfer-encoding"}
        ):
            self.on_message_complete()
            if self._parsed is not None:
                self._hand_over(self._parsed)
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """Fail what is under way."""
        self._transport = None
        self._on_lost(self)
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(NoAnswer(f"connection lost: {error}" if error else "connection closed"))

    # What the parser calls

    def on_message_begin(self) -> None:
        """Refuse a second answer to one request: it would be taken for the next one's."""
        if self._answer is None or self._answer.done() or self._parsed is not None:
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Note that the head is whole."""
        self._has_head = True

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body."""
        self._chunks.append(body)

    def on_message_complete(self) -> None:
        """Keep the answer, unless it was only an interim one (1xx)."""
        assert self._parser is not None
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            self._reset()
            self._raw_head = b""
            return
        if self._answer is not None and not self._answer.done() and self._parsed is None:
            body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
            self._parsed = HttpReply(status, self._headers, body)
            self._remember(status, len(body))
            self._headers = {}  # these are the answer's; a second one that nobody asked for must not write into them
        if not self._parser.should_keep_alive():
            self.close()

    def _reset(self) -> None:
        self._headers = {}
        self._chunks = []
        self._has_head = False

    def _remember(self, status: int, length: int) -> None:
        """Remember the head, if a body of stated length is all it means."""
        assert self._parser is not None
        if (
            self._raw_head
            and status == 200
            and self._headers.get("content-length") == str(length)
            and "transfer-encoding" not in self._headers
            and self._parser.should_keep_alive()
        ):
            self._known.keep(self._raw_head, Head(status, self._headers, length))
