"""How a stream of answers is written into one HTTP response."""

from __future__ import annotations

from typing import Protocol, TypeVar

from gateway.execution.message import GraphQLResponse

Item_contra = TypeVar("Item_contra", contravariant=True)


class StreamFormat(Protocol[Item_contra]):
    """One wire format. Methods return the bytes to send."""

    content_type: bytes

    def opening(self) -> bytes:
        """Return what comes before the first answer."""

    def answer(self, item: Item_contra, /) -> bytes:
        """Return one result of the operation."""

    def heartbeat(self) -> bytes:
        """Return something that clients ignore."""

    def failure(self, response: GraphQLResponse) -> bytes:
        """Return an error that ends the stream and isn't the operation's own."""

    def completion(self) -> bytes:
        """Return what tells the client not to come back."""

    def interruption(self, response: GraphQLResponse) -> bytes:
        """Return what tells the client to come back, to another process."""
