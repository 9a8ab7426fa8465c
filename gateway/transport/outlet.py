"""Responses that go on: their parts, and what fills the silences between them.

A part is written to the socket at once while the client reads, without a task or a timer; only where it does not read is
there something to wait for. One timer for all of a process's streams fills silences.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import islice
from types import TracebackType
from typing import Protocol, Self

from gateway.transport.asgi import abort
from gateway.transport.exchange import Exchange

_AT_ONCE = 100
"""Heartbeats written before other work gets its turn."""


class SlowConsumer(Exception):  # noqa: N818 - reads as what it is
    """The client read nothing for too long."""


class Connection(Protocol):
    """What the server offers beyond ASGI: `extensions["concord.connection"]` of a request's scope."""

    def write_part(self, part: bytes) -> bool:
        """Write a part of the body that was begun; False where the client has to read first."""

    def on_lost(self, tell: Callable[[], None] | None) -> None:
        """Name who is told, once, that the client has left; None for nobody."""


def connection_of(exchange: Exchange) -> Connection:
    """Return the connection of a request."""
    connection: Connection = exchange.scope["extensions"]["concord.connection"]
    return connection


class Outlet:
    """The body of one response. Within the block, silences are filled."""

    __slots__ = ("_beat", "_beats", "_connection", "_exchange", "_stuck_since", "_timeout_s")

    def __init__(self, exchange: Exchange, beats: Heartbeats, beat: bytes, *, timeout_s: float) -> None:
        """`beat` is what clients ignore. A client may read nothing for `timeout_s` while something waits for it."""
        self._exchange = exchange
        self._connection = connection_of(exchange)
        self._beats = beats
        self._beat = beat
        self._timeout_s = timeout_s
        self._stuck_since: float | None = None

    def __enter__(self) -> Self:
        self._beats.begin(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._beats.end(self)

    async def write(self, part: bytes) -> None:
        """Write a part, once the client has room for it. Raises `SlowConsumer`."""
        if not self._connection.write_part(part):
            try:
                async with asyncio.timeout(self._timeout_s):
                    await self._exchange.send({"type": "http.response.body", "body": part, "more_body": True})
            except TimeoutError:
                raise SlowConsumer from None
        self._beats.written(self)

    async def close(self, part: bytes) -> None:
        """Write the last part and end the response. Raises `SlowConsumer`."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._exchange.send({"type": "http.response.body", "body": part})
        except TimeoutError:
            raise SlowConsumer from None

    def drop(self) -> None:
        """Give the client up."""
        abort(self._exchange.scope)

    def beat(self, now: float) -> None:
        """Fill a silence; where there was no room for that for too long, give the client up."""
        if self._connection.write_part(self._beat):
            self._stuck_since = None
        elif self._stuck_since is None:
            self._stuck_since = now
        elif now - self._stuck_since >= self._timeout_s:
            self.drop()


class Heartbeats:
    """Fills the silences of all streams of one door."""

    def __init__(self, silence_s: float) -> None:
        """`silence_s` is the longest silence."""
        self._silence_s = silence_s
        self._since: dict[Outlet, float] = {}
        """Since when nothing was written (event loop's clock), longest silence first."""
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, outlet: Outlet) -> None:
        """Fill the silences of a stream from here on."""
        loop = asyncio.get_running_loop()
        self._since[outlet] = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(self._silence_s, self._look)

    def written(self, outlet: Outlet) -> None:
        """Take note that something was written."""
        if self._since.pop(outlet, None) is not None:
            self._since[outlet] = asyncio.get_running_loop().time()

    def end(self, outlet: Outlet) -> None:
        """Leave a stream alone."""
        self._since.pop(outlet, None)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for outlet, since in list(islice(self._since.items(), _AT_ONCE)):
            if now - since < self._silence_s:
                break
            del self._since[outlet]
            self._since[outlet] = now
            outlet.beat(now)
        first = next(iter(self._since.values()), None)
        self._timer = None if first is None else loop.call_at(first + self._silence_s, self._look)
