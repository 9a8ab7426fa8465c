"""uvicorn's HTTP protocol, with limits on what arrives, and a short way for common requests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.server import ServerState

from gateway.errors import GatewayError
from gateway.execution.correlation import correlation_id
from gateway.execution.message import GraphQLResponse, refusal
from gateway.transport.asgi import Message
from gateway.transport.fast_cycle import FastCycle
from gateway.transport.fast_post import CommonHead, CommonHeads, FastPosts
from gateway.transport.kept_connection import KeptConnection
from gateway.transport.respond import Rendered
from gateway.transport.settings import TransportSettings
from gateway.transport.unsent import LARGE_BYTES

_FAST_BYTES = 64 << 10
"""Larger bodies are the application's, which reads them bit by bit."""

_JOINED_BYTES = 4 << 10
"""Smaller answers are joined with their head; of larger ones the system takes the pieces as they lie."""


def http_protocol(given: TransportSettings, fast: Mapping[bytes, FastPosts]) -> type[asyncio.Protocol]:
    """Return the protocol class for `uvicorn.Config(http=…)` with limits on the head of a request.

    Common requests to the paths in `fast` are answered without an ASGI cycle. A head that is too large
    (HEADERS_TOO_LARGE) or too slow (REQUEST_TIMEOUT) or not HTTP (BAD_REQUEST) is answered in the shape of every other
    error, and the connection closed.
    """
    common = CommonHeads()

    class HttpProtocol(KeptConnection):
        settings = given

        def __init__(
            self,
            config: Config,
            server_state: ServerState,
            app_state: dict[str, Any],
            _loop: asyncio.AbstractEventLoop | None = None,
        ) -> None:
            super().__init__(config, server_state, app_state, _loop)
            self._is_head_open = True
            self._fast: FastPosts | None = None
            """Whom the request that comes is for, while it may be a common one."""
            self._fast_body = b""
            self._fast_cycle: FastCycle | None = None
            """The common request that is being answered."""
            self._data = b""
            """What came at once, from the start of a request on."""

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            if self._fast_cycle is not None:
                self._fast_cycle.set()
                self._fast_cycle = None

        def data_received(self, data: bytes) -> None:
            if self._is_head_open:
                if not self._head_bytes:
                    cycle: Any = self.cycle  # as in `_is_free`, which would be a call for each request
                    if (cycle is None or cycle.response_complete) and not self.flow.write_paused:
                        found = common.find(data)
                        if found is not None and self._begin_fast(*found):
                            return
                    self._data = data
                self._head_bytes += len(data)
            super().data_received(data)
            self._data = b""
            if self._fast is not None:
                self._leave_fast()  # a body that comes bit by bit has limits that the application keeps
            if self._is_head_open and self._head_bytes and not self.transport.is_closing():
                if self._head_bytes > given.max_header_bytes:
                    self._refuse(GatewayError("HEADERS_TOO_LARGE"))
                elif self._head_timer is None:
                    self._start_head_timer()

        def on_header(self, name: bytes, value: bytes) -> None:
            if len(self.headers) > given.max_headers:
                return  # the application refuses it; until then nothing more is kept
            super().on_header(name, value)

        def on_headers_complete(self) -> None:
            self._is_head_open = False
            self._stop_head_timer()
            posts = fast.get(self.url)
            if (
                posts is not None
                and self._is_free()
                and not self.flow.write_paused  # the application waits until the client has read
                and self.parser.get_method() == b"POST"
                and self.parser.get_http_version() == "1.1"
                and not self.parser.should_upgrade()
            ):
                self._fast, self._fast_body = posts, b""
            else:
                if self.flow.write_paused:
                    self._watch_reader()
                self._begin_cycle()

        def on_body(self, body: bytes) -> None:
            if self._fast is not None and len(self._fast_body) + len(body) <= _FAST_BYTES:
                self._fast_body += body
                return
            if self._fast is not None:
                self._leave_fast()
            super().on_body(body)

        def on_message_complete(self) -> None:
            self._is_head_open = True
            self._head_bytes = 0
            posts = self._fast
            if posts is not None:
                found = posts.read_head(self.headers, keep_alive=self.parser.should_keep_alive())
                if found is not None and self._begin_fast(*found, self._fast_body):
                    self._fast = None
                    common.keep(self._data, *found)
                    return
                self._leave_fast()
            super().on_message_complete()

        def _begin_fast(self, head: CommonHead, authorization: str | None, body: bytes) -> bool:
            """Begin a common request; False where it is left to the application."""
            if self._head_timer is not None:
                self._stop_head_timer()
            posts = head.posts
            correlation = correlation_id(head.correlation)
            cycle = FastCycle(self._write, head, correlation, head.keep_alive and not self._is_stopping)
            load = posts.load
            if load.now >= load.most:
                # Before anything else is asked, so that refusing costs less than anything that could be.
                self.cycle = cycle  # type: ignore[assignment]  # as below
                cycle.answer(refusal(load.refused(), correlation))
                return True
            flight = posts.begin(head, authorization, correlation, body, cycle.answer)
            if flight is None:
                return False
            cycle.enter(load, flight)
            self._idle_since = None
            self._fast_cycle = cycle
            self.cycle = cycle  # type: ignore[assignment]  # has what the protocol asks of one
            return True

        def _leave_fast(self) -> None:
            """Begin an ASGI cycle for a request that isn't a common one after all."""
            self._fast = None
            self._begin_cycle()
            if self._fast_body:
                super().on_body(self._fast_body)
                self._fast_body = b""

        def _write(self, cycle: FastCycle, response: GraphQLResponse) -> None:
            self._fast_cycle = None
            transport, head = self.transport, cycle.head
            if transport.is_closing():
                return
            data = response.encoded
            if data is None or response.errors or response.extensions or not cycle.keep_alive or head.posts.compresses:
                if sum(map(len, response.pieces())) > LARGE_BYTES:
                    self._begin_large(cycle, response)
                    return
                self._write_rendered(cycle, head.posts.render(head, cycle.correlation, response))
            else:
                length = len(data) + 9
                if length > LARGE_BYTES:
                    self._begin_large(cycle, response)
                    return
                if head.standard is not self.server_state.default_headers:
                    _begin_answers(head, self.server_state.default_headers)
                start = (head.start, cycle.correlation.encode(), length)
                if length < _JOINED_BYTES:
                    transport.write(b'%b%b\r\ncontent-length: %d\r\n\r\n{"data":%b}' % (*start, data))
                else:
                    transport.writelines((b'%b%b\r\ncontent-length: %d\r\n\r\n{"data":' % start, data, b"}"))
            self.on_response_complete()

        def _begin_large(self, cycle: FastCycle, response: GraphQLResponse) -> None:
            """Begin to write a large answer; refuse it where too much is unread already."""
            head = cycle.head
            unsent = head.posts.unsent
            try:
                if response.encoded is not None and not head.posts.compresses:
                    unsent.check(len(response.encoded))  # before a copy is made
                rendered = head.posts.render(head, cycle.correlation, response)
                size = len(rendered.body)
                unsent.take(size)
            except GatewayError as refused:
                cycle.answer(refusal(refused, cycle.correlation))
                return
            self._fast_cycle = cycle
            writing = self.loop.create_task(self._write_large(cycle, rendered))
            writing.add_done_callback(lambda _: unsent.give_back(size))  # also where it ends before it has begun
            cycle.begin(writing)

        def _write_rendered(self, cycle: FastCycle, rendered: Rendered) -> None:
            """Write an answer that isn't only data."""
            if (b"connection", b"close") in rendered.headers or (b"connection", b"Close") in rendered.headers:
                cycle.keep_alive = False
            given = [each for each in rendered.headers if each[0] != b"connection"]
            lines = b"".join([b"%b: %b\r\n" % each for each in (*self.server_state.default_headers, *given)])
            close = b"" if cycle.keep_alive else b"connection: close\r\n"
            self.transport.write(b"%b%b%b\r\n%b" % (STATUS_LINE[rendered.status], lines, close, rendered.body))
            if not cycle.keep_alive:
                self.transport.close()

        async def _write_large(self, cycle: FastCycle, rendered: Rendered) -> None:
            """Write a large answer as fast as the client reads."""
            head = cycle.head
            lines = b"".join([b"%b: %b\r\n" % each for each in (*self.server_state.default_headers, *rendered.headers)])
            close = b"" if cycle.keep_alive else b"connection: close\r\n"
            self.transport.write(b"%b%b%b\r\n" % (STATUS_LINE[rendered.status], lines, close))

            async def send(message: Message) -> None:
                if self.flow.write_paused:
                    await self.flow.drain()
                if not self.transport.is_closing():
                    self.transport.write(message["body"])

            await head.posts.unsent.send({"extensions": {"concord.abort": self.transport.abort}}, send, rendered.body)
            self._fast_cycle = None
            cycle.end()
            if not cycle.keep_alive:
                self.transport.close()
            self.on_response_complete()

    return HttpProtocol


def _begin_answers(head: CommonHead, standard: Iterable[tuple[bytes, bytes]]) -> None:
    """Write down what answers with data start with, until the server's own headers change: uvicorn makes them each second."""
    lines = b"".join([b"%b: %b\r\n" % each for each in standard])
    head.start = b"HTTP/1.1 200 OK\r\n%b%bx-correlation-id: " % (lines, head.lines)
    head.standard = standard
