"""One HTTP/1.1 connection to a subgraph: one request at a time, and exactly what became of it.

Requests are not pipelined. Whatever goes wrong, the connection is closed and never used again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import httptools

from gateway.upstream.transport import HttpReply, NoAnswer, TooLarge

_MAX_HEAD_BYTES = 64 << 10


class Connection(asyncio.Protocol):
    """Sends a request's bytes and parses the answer. Idle between requests."""

    def __init__(self, max_bytes: int, on_lost: Callable[[Connection], None]) -> None:
        self._max_bytes = max_bytes
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._answer: asyncio.Future[HttpReply] | None = None
        self._headers: dict[str, str] = {}
        self._chunks: list[bytes] = []
        self._size = 0
        self._has_head = False
        self.idle_since = 0.0
        """Event loop's clock; meaningful while nothing is under way."""

    @property
    def is_usable(self) -> bool:
        """Whether another request can be sent: open, and nothing is under way."""
        return self._transport is not None and not self._transport.is_closing() and self._answer is None

    async def send(self, request: bytes) -> HttpReply:
        """Send a whole request and return the whole answer.

        Raises NoAnswer or TooLarge. When cancelled, closes the connection: the rest of this answer must never be taken
        for the next.
        """
        assert self._transport is not None
        assert self._answer is None
        self._parser = httptools.HttpResponseParser(self)
        self._answer = asyncio.get_running_loop().create_future()
        self._reset()
        self._transport.write(request)
        try:
            return await self._answer
        except BaseException:
            self.close()
            raise
        finally:
            self._answer = None

    def close(self) -> None:
        """Close at once; whatever is under way fails."""
        if self._transport is not None:
            self._transport.abort()

    def _reset(self) -> None:
        self._headers = {}
        self._chunks = []
        self._size = 0
        self._has_head = False

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
        self.close()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        if self._answer is None or self._answer.done() or self._parser is None:
            # Nobody asked: an answer that is too long by some bytes, or a server that speaks first.
            self.close()
            return
        self._size += len(data)
        if self._size > self._max_bytes:
            self._fail(TooLarge(f"more than {self._max_bytes} bytes"))
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(NoAnswer(f"not HTTP: {error}"))
        if not self._has_head and self._size > _MAX_HEAD_BYTES:
            self._fail(NoAnswer(f"headers of more than {_MAX_HEAD_BYTES} bytes"))

    def eof_received(self) -> bool:
        """Take the end of the stream for the end of a body that has no length."""
        if self._has_head and not self._headers.keys() & {"content-length", "transfer-encoding"}:
            self.on_message_complete()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """Fail what is under way."""
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(NoAnswer(f"connection lost: {error}" if error else "connection closed"))
        self._on_lost(self)

    # What the parser calls

    def on_message_begin(self) -> None:
        """Refuse a second answer to one request: it would be taken for the next one's."""
        if self._answer is None or self._answer.done():
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
        """Hand over the answer, unless it was only an interim one (1xx)."""
        assert self._parser is not None
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            self._reset()
            return
        if self._answer is not None and not self._answer.done():
            body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
            self._answer.set_result(HttpReply(status, self._headers, body))
        if not self._parser.should_keep_alive():
            self.close()
