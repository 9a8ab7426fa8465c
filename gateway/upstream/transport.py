"""What an HTTP transport does for a subgraph client, and the two ways in which it can fail.

The seam between what is sent and how: any transport that keeps these promises can carry fetches.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

HeaderPairs = Sequence[tuple[str, str]]


class NotSent(Exception):  # noqa: N818 - reads as what it is
    """The request certainly never reached the server: no name, no route, refused, no free connection in time."""

    def __init__(self, reason: str, *, is_timeout: bool = False, is_retryable: bool = True) -> None:
        super().__init__(reason)
        self.is_timeout = is_timeout
        self.is_retryable = is_retryable
        """False where repeating can't help, as with a certificate that isn't trusted."""


class NoAnswer(Exception):  # noqa: N818 - reads as what it is
    """The request was sent, at least in part, and no whole answer came."""

    def __init__(self, reason: str, *, is_timeout: bool = False) -> None:
        super().__init__(reason)
        self.is_timeout = is_timeout


class NoRoom(NoAnswer):
    """The answer was left unread for want of memory, for so long that it came too late or not at all. The server is not to blame."""


class TooLarge(Exception):  # noqa: N818 - reads as what it is
    """The answer is larger than allowed; the rest was not read."""


class HttpReply(Struct):
    """A whole answer. Not changed."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


class HttpTransport(Protocol):
    """Posts bodies to one URL over kept connections. Cancelling closes the connection in use, never gives it back."""

    async def post(
        self, headers: HeaderPairs, body: bytes, timeout_s: float, connect_s: float | None = None
    ) -> HttpReply:
        """Send and return the whole answer, within `timeout_s` whatever happens. Redirects are not followed.

        `connect_s` is the part of it that may pass until there is a connection; None: all of it. Raises NotSent, NoAnswer or TooLarge.
        """

    async def aclose(self) -> None:
        """Close all connections."""


class Streams(Protocol):
    """Holds connections of subscriptions."""

    @property
    def is_streaming(self) -> bool:
        """Whether one goes on."""

    async def aclose(self) -> None:
        """Close all connections."""


class StreamTransport(Protocol):
    """Posts bodies to one URL and reads the answers as they come."""

    def stream(
        self, headers: HeaderPairs, body: bytes, *, head_timeout_s: float, silence_s: float
    ) -> AsyncGenerator[HttpReply, None]:
        """Send and yield the answer piece by piece: each a reply with the bytes that came since the last one.

        Its head must have come within `head_timeout_s`, and each piece within `silence_s` after the one before.
        Raises NotSent or NoAnswer.
        """

    async def aclose(self) -> None:
        """Close all connections."""
