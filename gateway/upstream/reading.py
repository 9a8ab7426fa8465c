"""Read one answer that comes bit by bit, or after a head that wasn't seen before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import httptools

from gateway.upstream.transport import HttpReply, NoAnswer, TooLarge

_MAX_HEAD_BYTES = 64 << 10
_PART_BYTES = 48
"""What a part takes beside its bytes: a server may send each in a chunk of its own."""


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

    max_answer_bytes: int
    """Of a head and its body; a larger answer is not read."""
    most: int = 512
    max_bytes: int = 2_048
    """Longer heads are not kept."""
    heads: dict[bytes, Head] = field(default_factory=dict)
    """By their bytes, the empty line included."""

    def keep(self, head: bytes, meaning: Head) -> None:
        """Remember a head."""
        if len(self.heads) >= self.most:
            self.heads.clear()
        if len(head) <= self.max_bytes:
            self.heads[head] = meaning


class Reading:
    """What was read of one answer so far."""

    __slots__ = (
        "_chunks",
        "_has_head",
        "_head",
        "_headers",
        "_known",
        "_parsed",
        "_parser",
        "_raw_head",
        "_size",
        "held",
        "is_last",
        "length",
    )

    def __init__(self, known: KnownHeads) -> None:
        self._known = known
        self._parser: httptools.HttpResponseParser | None = None
        self._head: Head | None = None
        """Of an answer that is read without a parser, since its head is known."""
        self._raw_head = b""
        """The head's bytes where they came in one piece; what may be remembered."""
        self._headers: dict[str, str] = {}
        self._chunks: list[bytes] = []
        self._size = 0
        self.held = 0
        """Bytes that are kept of the body."""
        self.length: int | None = None
        """Bytes that it will have, where the head says so."""
        self._has_head = False
        self._parsed: HttpReply | None = None
        """The answer, once the parser has come to its end."""
        self.is_last = False
        """Whether the connection is of no use after this answer."""

    def feed(self, data: bytes) -> HttpReply | None:
        """Take what came next; return the answer once it is whole. Raises NoAnswer or TooLarge."""
        if self._parser is None:
            if self._head is not None:
                return self._take(data, self._head)
            end = data.find(b"\r\n\r\n") + 4
            if end >= 4:
                self._raw_head = data[:end]
                self._head = self._known.heads.get(self._raw_head)
                if self._head is not None:
                    self.length = self._head.length
                    return self._take(data[end:], self._head)
            self._parser = httptools.HttpResponseParser(self)
        return self._parse(data, self._parser)

    def end(self) -> HttpReply | None:
        """Take the end of the stream for the end of a body that has no length; return the answer if it is one."""
        if (
            self._parser is not None
            and self._has_head
            and not self._headers.keys() & {"content-length", "transfer-encoding"}
        ):
            self.on_message_complete()
        return self._ended()

    def _take(self, data: bytes, head: Head) -> HttpReply | None:
        """Take a part of a body of known length."""
        self.held += len(data)
        if self.held < head.length:
            self._chunks.append(data)
            return None
        body = self._joined(data)
        if self.held > head.length:
            # Bytes that nobody asked for: they would be taken for the next answer.
            self.is_last = True
            body = body[: head.length]
        return HttpReply(head.status, head.headers, body)

    def _parse(self, data: bytes, parser: httptools.HttpResponseParser) -> HttpReply | None:
        self._size += len(data)
        if self._size > self._known.max_answer_bytes:
            raise TooLarge(f"more than {self._known.max_answer_bytes} bytes")
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if self._parsed is None:
                raise NoAnswer(f"not HTTP: {error}") from error
            self.is_last = True  # the answer is whole; what came after it was nobody's
        if self._parsed is None:
            if not self._has_head and self._size > _MAX_HEAD_BYTES:
                raise NoAnswer(f"headers of more than {_MAX_HEAD_BYTES} bytes")
            if self.length is not None and self.length > self._known.max_answer_bytes:
                raise TooLarge(f"more than {self._known.max_answer_bytes} bytes")  # none of it is worth its room
            return None
        return self._ended()

    def let_go(self) -> None:
        """Keep nothing: the parser and what it calls hold each other, and large answers with them until garbage is looked for."""
        self._parser = self._parsed = None
        self._chunks = []

    def _ended(self) -> HttpReply | None:
        reply = self._parsed
        self.let_go()
        return reply

    def _joined(self, last: bytes | None = None) -> bytes:
        """Return the parts of the body as one, and keep them no longer: while it is decoded it is there once."""
        if last is not None:
            self._chunks.append(last)
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        return body

    # What the parser calls

    def on_message_begin(self) -> None:
        """Look no further than one answer: a second one to one request would be taken for the next one's."""
        if self._parsed is not None:
            self.is_last = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        if self._parsed is None:  # else it belongs to an answer that nobody asked for
            self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Note that the head is whole."""
        self._has_head = True
        length = self._headers.get("content-length", "")
        self.length = int(length) if length.isascii() and length.isdigit() and len(length) < 16 else None

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body."""
        self._chunks.append(body)
        self.held += len(body) + _PART_BYTES

    def on_message_complete(self) -> None:
        """Keep the answer, unless it was only an interim one (1xx)."""
        assert self._parser is not None
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            self._headers, self._chunks, self._has_head = {}, [], False
            self._raw_head = b""
            self.held, self.length = 0, None
            return
        if not self._parser.should_keep_alive():
            self.is_last = True
        if self._parsed is None:
            body = self._joined()
            self._parsed = HttpReply(status, self._headers, body)
            self._remember(status, len(body))

    def _remember(self, status: int, length: int) -> None:
        """Remember the head, if a body of stated length is all it means."""
        if (
            not self._raw_head.startswith(b"HTTP/")  # empty lines before it would be taken for the whole of it
            or status != 200
            or self._headers.get("content-length") != str(length)
            or "transfer-encoding" in self._headers
        ):
            return
        if self._size > len(self._raw_head) + length:
            self.is_last = True  # empty lines after it, which parsers overlook, are no answer's either
        if not self.is_last:
            self._known.keep(self._raw_head, Head(status, self._headers, length))
