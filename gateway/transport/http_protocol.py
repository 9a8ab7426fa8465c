"""uvicorn's HTTP and WebSocket protocols, with the limits that only the one who reads the socket can keep."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import CloseCode
from websockets.http11 import Request

from gateway.errors import GatewayError
from gateway.execution.message import refusal
from gateway.telemetry.correlation import correlation_id
from gateway.transport.asgi import write_headers
from gateway.transport.settings import TransportSettings


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """A WebSocket connection that can be dropped with unread data, and whose bad text is no news for the log."""

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        scope: Any = getattr(self, "scope", None)  # none where the handshake was refused
        if scope is not None:
            scope["extensions"]["concord.abort"] = self.transport.abort

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not _is_utf8(self.frames):
            self.frames = []
            self.conn.send_close(CloseCode.INVALID_DATA)
            self.handle_parser_exception()
            return
        super().send_receive_event_to_app()


def _is_utf8(parts: list[bytes]) -> bool:
    try:
        b"".join(parts).decode()
    except UnicodeDecodeError:
        return False
    return True


def http_protocol(settings: TransportSettings) -> type[asyncio.Protocol]:
    """Return the protocol class for `uvicorn.Config(http=…)` with limits on the head of a request.

    A head that is too large (HEADERS_TOO_LARGE) or too slow (REQUEST_TIMEOUT) or not HTTP (BAD_REQUEST) is answered in
    the shape of every other error, and the connection closed.
    """

    class HttpProtocol(HttpToolsProtocol):
        def __init__(
            self,
            config: Config,
            server_state: ServerState,
            app_state: dict[str, Any],
            _loop: asyncio.AbstractEventLoop | None = None,
        ) -> None:
            super().__init__(config, server_state, app_state, _loop)
            self._head_bytes = 0
            self._is_head_open = True
            self._head_timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
            super().connection_made(transport)
            self._start_head_timer()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_head_timer()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self._is_head_open:
                self._head_bytes += len(data)
                if self._head_timer is None:
                    self._start_head_timer()
            super().data_received(data)
            if self._is_head_open and self._head_bytes > settings.max_header_bytes and not self.transport.is_closing():
                self._refuse(GatewayError("HEADERS_TOO_LARGE"))

        def on_message_begin(self) -> None:
            super().on_message_begin()
            extensions: dict[str, Any] = {"concord.abort": self.transport.abort}
            self.scope["extensions"] = extensions

        def on_header(self, name: bytes, value: bytes) -> None:
            if len(self.headers) > settings.max_headers:
                return  # the application refuses it; until then nothing more is kept
            super().on_header(name, value)

        def on_headers_complete(self) -> None:
            self._is_head_open = False
            self._stop_head_timer()
            super().on_headers_complete()

        def on_message_complete(self) -> None:
            super().on_message_complete()
            self._is_head_open = True
            self._head_bytes = 0

        def timeout_keep_alive_handler(self) -> None:
            if self.transport.get_write_buffer_size():
                self.transport.abort()  # closing would wait for a client that doesn't read what it asked for
            else:
                super().timeout_keep_alive_handler()

        def send_400_response(self, msg: str) -> None:
            self._refuse(GatewayError("BAD_REQUEST", msg))

        def _start_head_timer(self) -> None:
            self._head_timer = self.loop.call_later(settings.receive_timeout_s, self._head_is_late)

        def _stop_head_timer(self) -> None:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None

        def _head_is_late(self) -> None:
            if not self.transport.is_closing():
                self._refuse(GatewayError("REQUEST_TIMEOUT"))

        def _refuse(self, error: GatewayError) -> None:
            cycle = getattr(self, "cycle", None)  # uvicorn's type forgets that there may be none yet
            if cycle is not None and not cycle.response_complete:
                if cycle.response_started or self.pipeline:
                    self.transport.close()  # an answer is under way: nothing can be put before or into it
                    return
                cycle.disconnected = True  # the application learns that there is nobody left to answer
                cycle.message_event.set()
            response = refusal(error, correlation_id(None))
            body = response.body()
            headers = {
                **response.headers,
                "Content-Type": "application/json; charset=utf-8",
                "Content-Length": str(len(body)),
                "Connection": "close",
            }
            head = b"".join(b"%b: %b\r\n" % header for header in write_headers(headers))
            self.transport.write(b"%b%b\r\n%b" % (STATUS_LINE[response.http_status], head, body))
            self.transport.close()

    return HttpProtocol
