"""How a stream of answers is written into one HTTP response."""

from __future__ import annotations

from typing import Protocol

from gateway.execution.message import GraphQLResponse


class StreamFormat(Protocol):
    """One wire format. Methods return the bytes to send."""

    content_type: bytes

    def opening(self) -> bytes:
        """Return what comes before the first answer."""

    def answer(self, response: GraphQLResponse) -> bytes:
        """Return one result of the operation."""

    def heartbeat(self) -> bytes:
        """Return something that clients ignore."""

    def failure(self, response: GraphQLResponse) -> bytes:
        """Return an error that ends the stream and isn't the operation's own."""

    def completion(self) -> bytes:
        """Return what tells the client not to come back."""

    def interruption(self, response: GraphQLResponse) -> bytes:
        """Return what tells the client to come back, to another process."""
