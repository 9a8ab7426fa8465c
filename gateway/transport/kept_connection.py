"""A connection that is kept: what waits on it is limited in time, and it ends when nothing more is to come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic  # event loops' clock
from typing import Any, ClassVar

from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from gateway.errors import GatewayError
from gateway.execution.correlation import correlation_id
from gateway.execution.message import refusal
from gateway.transport.asgi import write_headers
from gateway.transport.settings import TransportSettings

_LINGER_S = 0.5
"""How long a connection without a request is kept when the process stops: one may be on its way, and is answered."""


class KeptConnection(HttpToolsProtocol):
    """uvicorn's HTTP protocol with time limits, and refusals in the shape of every other error."""

    settings: ClassVar[TransportSettings]

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._head_bytes = 0
        """What has come of a head that is not whole."""
        self._head_timer: asyncio.TimerHandle | None = None
        self._idle_since: float | None = None
        self._running: RequestResponseCycle | None = None
        """The request that the application answers, or answered last; others may wait behind it."""
        self._unread_timer: asyncio.TimerHandle | None = None
        self._is_stopping = False
        self._tell_lost: Callable[[], None] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        self._stop_unread_timer()
        super().connection_lost(exc)
        super()._unset_keepalive_if_required()
        running = self._running
        if running is not None and not running.response_complete:  # uvicorn only tells the one that came last
            running.disconnected = True
            running.message_event.set()
        if self._tell_lost is not None:
            self._tell_lost()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        extensions: dict[str, Any] = {"concord.abort": self.transport.abort, "concord.connection": self}
        self.scope["extensions"] = extensions

    def write_part(self, part: bytes) -> bool:
        """Write a part of the body that the application has begun, as `outlet.Connection` says."""
        if self.flow.write_paused:
            return False
        if not self.transport.is_closing():
            self.transport.write(b"%x\r\n%b\r\n" % (len(part), part))
        return True

    def on_lost(self, tell: Callable[[], None] | None) -> None:
        """Name who is told that the client has left, soon if it has already."""
        self._tell_lost = tell
        if tell is not None and self._running is not None and self._running.disconnected:
            self.loop.call_soon(tell)

    def _begin_cycle(self) -> None:
        super().on_headers_complete()
        if self._is_stopping and not self.parser.should_upgrade():
            self.cycle.keep_alive = False

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _is_free(self) -> bool:
        """Tell whether no request is being answered."""
        cycle: Any = self.cycle  # uvicorn's type forgets that there may be none yet
        return cycle is None or cycle.response_complete

    def on_response_complete(self) -> None:
        """As uvicorn does, but with one timer that looks when the last request ended, not one for each request."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.flow.read_paused:
            self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
            return
        self._idle_since = monotonic()
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self._look_whether_idle)

    def _unset_keepalive_if_required(self) -> None:
        self._idle_since = None

    def _look_whether_idle(self) -> None:
        self.timeout_keep_alive_task = None
        if self._idle_since is None:
            return
        left_s = self._idle_since + self.timeout_keep_alive - monotonic()
        if left_s > 0:
            self.timeout_keep_alive_task = self.loop.call_later(left_s, self._look_whether_idle)
        else:
            self.timeout_keep_alive_handler()

    def _watch_reader(self) -> None:
        """Give the client up that asks for more and takes nothing of what it has asked for."""
        if self._unread_timer is None:
            unread = self.transport.get_write_buffer_size()
            wait_s = self.settings.stream.send_timeout_s
            self._unread_timer = self.loop.call_later(wait_s, self._look_whether_read, unread)

    def _look_whether_read(self, unread_before: int) -> None:
        self._unread_timer = None
        if self.transport.get_protocol() is not self:
            return  # it is a WebSocket by now
        if self.transport.get_write_buffer_size() >= unread_before:
            self.transport.abort()
        else:
            self._watch_reader()

    def _stop_unread_timer(self) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None

    def resume_writing(self) -> None:
        self._stop_unread_timer()
        super().resume_writing()

    def shutdown(self) -> None:
        """Answer what is in flight or on its way, and close the connection after it."""
        self._is_stopping = True
        if self._is_free():
            self.loop.call_later(_LINGER_S, self._end_linger)
        else:
            super().shutdown()

    def _end_linger(self) -> None:
        # What has begun to arrive is answered, or refused by the timer that watches heads.
        if self._is_free() and not self._head_bytes and not self.transport.is_closing():
            self.transport.close()

    def timeout_keep_alive_handler(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()  # closing would wait for a client that doesn't read what it asked for
        else:
            super().timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:
        self._refuse(GatewayError("BAD_REQUEST", msg))

    def _start_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(self.settings.receive_timeout_s, self._head_is_late)

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
