"""Large answers that are made, or that clients have not taken yet: bounded together, and sent only as fast as each client reads.

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
        """Those that requests keep while they are worked on are counted here as well; see `gateway.upstream.kept`."""

    def check(self, more_bytes: int = 0) -> None:
        """Raise GatewayError with OVERLOADED where there is no room for more."""
        if self.held_bytes + more_bytes > self.most_bytes:
            raise GatewayError("OVERLOADED", retry_after_ms=1_000)

    def take(self, size: int, *, is_due: bool = False) -> None:
        """Count an answer as soon as it is made: many may be at once, before the first of them is written.

        Raises as `check` does, unless it `is_due`: what a write did must be told.
        """
        if not is_due:
            self.check(size)
        self.held_bytes += size

    def give_back(self, size: int) -> None:
        """Count it no more: it is sent, or nobody reads it."""
        self.held_bytes -= size

    @contextmanager
    def taken(self, size: int, *, is_due: bool = False) -> Iterator[None]:
        """Count an answer of this size, if it is large, while the block lasts. Raises as `take`."""
        if size <= LARGE_BYTES:
            yield
            return
        self.take(size, is_due=is_due)
        try:
            yield
        finally:
            self.give_back(size)

    async def send(self, scope: Scope, send: Send, body: bytes) -> None:
        """Send a body that is counted and whose head is sent, piece by piece.

        A client that takes nothing for too long is dropped.
        """
        view = memoryview(body)
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
