"""uvicorn's WebSocket protocol, as this door needs it. Loaded for the first connection: most gateways see none."""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode
from websockets.http11 import Request


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """A WebSocket connection that can be dropped with unread data, whose bad text is no news, and that ends by itself."""

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

    def shutdown(self) -> None:
        """Leave an open connection to the application, which finishes its answers and closes it."""
        if not self.handshake_complete or self.close_sent:
            super().shutdown()


def _is_utf8(parts: list[bytes]) -> bool:
    try:
        b"".join(parts).decode()
    except UnicodeDecodeError:
        return False
    return True
