"""Large answers that clients have not taken yet: bounded together, and sent only as fast as each client reads.

A whole answer handed to the socket is kept until the client has read it. Two hundred clients that read 1 kB/s of 10 MB each
would keep 2 GB.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.errors import GatewayError
from gateway.transport.asgi import Scope, Send, abort

LARGE_BYTES = 128 << 10
"""Answers up to this size are handed to the socket as they are."""
_PIECE_BYTES = 128 << 10


class UnsentAnswers:
    """What this process holds of large answers until clients take them."""

    def __init__(self, most_bytes: int, stall_s: float) -> None:
        """`most_bytes` are held at once; a client may take no piece of 128 KiB for `stall_s` seconds."""
        self.most_bytes = most_bytes
        self._stall_s = stall_s
        self.held_bytes = 0

    def check(self, more_bytes: int = 0) -> None:
        """Raise GatewayError with OVERLOADED where there is no room for more."""
        if self.held_bytes + more_bytes > self.most_bytes:
            raise GatewayError("OVERLOADED", retry_after_ms=1_000)

    async def send(self, scope: Scope, send: Send, body: bytes) -> None:
        """Send a body whose head is sent, piece by piece; a client that takes nothing for too long is dropped."""
        view = memoryview(body)
        with self._held(len(body)):
            for start in range(0, len(body), _PIECE_BYTES):
                piece = bytes(view[start : start + _PIECE_BYTES])
                is_last = start + _PIECE_BYTES >= len(body)
                try:
                    # The server waits here until the piece before has gone.
                    async with asyncio.timeout(self._stall_s):
                        await send({"type": "http.response.body", "body": piece, "more_body": not is_last})
                except TimeoutError:
                    abort(scope)
                    return

    @contextmanager
    def _held(self, size: int) -> Iterator[None]:
        self.held_bytes += size
        try:
            yield
        finally:
            self.held_bytes -= size
