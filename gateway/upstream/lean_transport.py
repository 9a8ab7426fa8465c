"""The transport for plain HTTP/1.1 to subgraphs: a small pool over asyncio and httptools.

It costs a tenth of what httpx2 costs and does a tenth of it: `http` URLs, POST, whole answers. Everything else is
`httpx_transport`'s.
"""

from __future__ import annotations

import asyncio
from collections import deque
from time import monotonic
from urllib.parse import urlsplit

from gateway.upstream.connection import Connection
from gateway.upstream.read_budget import ReadBudget
from gateway.upstream.reading import KnownHeads
from gateway.upstream.transport import HeaderPairs, HttpReply, NoAnswer, NotSent, TooLarge

_SWEEP_S = 0.01
"""How late a request's end may be noticed."""


class LeanTransport:
    """Posts to one URL over kept connections, the one used last first, so that the others can grow old and close."""

    def __init__(
        self,
        url: str,
        *,
        max_connections: int = 64,
        max_bytes: int = 64 << 20,
        keep_alive_s: float = 4.0,
        budget: ReadBudget | None = None,
    ) -> None:
        """`keep_alive_s` should be less than the server's own (uvicorn: 5), or requests meet connections that close.

        `budget` bounds large answers that are being read, over all transports that share it.

        Raises ValueError for a URL that isn't http.
        """
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"{url!r} is no http URL")
        self._host = parts.hostname
        self._port = parts.port or 80
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self.start = f"POST {target} HTTP/1.1\r\nhost: {parts.netloc.rpartition('@')[2]}\r\n"
        self._keep_alive_s = keep_alive_s
        self._free = max_connections
        """How many more connections may be opened."""
        self.idle: list[Connection] = []
        self._open: set[Connection] = set()
        self.waiting: deque[asyncio.Future[None]] = deque()
        self._known = KnownHeads(max_bytes)
        self.lane = (budget or ReadBudget()).lane()
        self._sweeper: asyncio.TimerHandle | None = None
        """One timer looks after all requests, since one for each costs as much as parsing its answer."""
        self.sweeps_at = float("inf")
        """When it looks next; deadlines after that need no `watch`."""

    async def post(
        self, headers: HeaderPairs, body: bytes, timeout_s: float, connect_s: float | None = None
    ) -> HttpReply:
        """Send and return the whole answer. Raises NotSent, NoAnswer or TooLarge."""
        request = self._request(headers, body)
        loop = asyncio.get_running_loop()
        now = monotonic()
        deadline = now + timeout_s
        connection = self.take_idle(now) or await self.connect(
            deadline if connect_s is None else min(deadline, now + connect_s)
        )
        connection.deadline = deadline
        self.watch(deadline)
        answer = _Awaited(loop.create_future())
        connection.send(request, answer)
        try:
            return await answer.future
        finally:
            if not answer.is_told:
                connection.drop()

    def watch(self, deadline: float) -> None:
        """See that what a connection is about to be used for, and whose `deadline` this is, ends in time."""
        if deadline < self.sweeps_at:
            self._sweep_at(deadline)

    async def aclose(self) -> None:
        """Close all connections; requests in flight fail."""
        for connection in tuple(self._open):
            connection.close()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        # Closing is told in the loop's next round.
        await asyncio.sleep(0)

    def _sweep_at(self, when: float) -> None:
        loop = asyncio.get_running_loop()
        if self._sweeper is not None:
            self._sweeper.cancel()
        self.sweeps_at = max(when, loop.time() + _SWEEP_S)
        self._sweeper = loop.call_at(self.sweeps_at, self._sweep)

    def _sweep(self) -> None:
        """End requests whose time is over, and look again when the next one's is."""
        now = asyncio.get_running_loop().time()
        self._sweeper, self.sweeps_at = None, float("inf")
        busy = [each for each in self._open if each.is_busy]
        for connection in busy:
            if connection.deadline <= now:
                connection.fail(connection.unanswered("no whole answer in time", is_timeout=True))
        earliest = min((each.deadline for each in busy if each.is_busy), default=None)
        if earliest is not None and earliest < self.sweeps_at:
            self._sweep_at(earliest)

    def _request(self, headers: HeaderPairs, body: bytes) -> bytes:
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
        if lines.count("\n") != len(headers) or lines.count("\r") != len(headers) or "\0" in lines:
            raise NotSent("a header holds a line break", is_retryable=False)
        head = f"{self.start}{lines}content-length: {len(body)}\r\n\r\n"
        return head.encode("latin-1", "replace") + body

    def take_idle(self, now: float) -> Connection | None:
        """Take a connection that is open and free, if there is one."""
        idle = self.idle
        while idle:
            connection = idle.pop()
            line = connection.line
            if line is not None and now - connection.idle_since < self._keep_alive_s and not line.is_closing():
                return connection
            connection.close()
        return None

    async def connect(self, deadline: float) -> Connection:
        """Open a connection, or wait until there is a free one."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(deadline):
                while self._free <= 0:
                    await self._wait()
                    connection = self.take_idle(loop.time())
                    if connection is not None:
                        return connection
                return await self._open_connection()
        except TimeoutError as error:
            raise NotSent("no connection in time", is_timeout=True) from error
        except OSError as error:
            raise NotSent(f"{type(error).__name__}: {error}") from error

    async def _open_connection(self) -> Connection:
        self._free -= 1
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: Connection(self._known, self), self._host, self._port
            )
        except BaseException:
            self._free += 1
            self.wake_one()
            raise
        self._open.add(connection)
        return connection

    def lost(self, connection: Connection) -> None:
        """Take note of a connection that is closed."""
        if connection in self._open:
            self._open.discard(connection)
            if connection in self.idle:
                self.idle.remove(connection)
            self._free += 1
            self.wake_one()

    async def _wait(self) -> None:
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                # Woken and cancelled at once: the turn is the next one's.
                self.wake_one()
            raise
        finally:
            if place in self.waiting:
                self.waiting.remove(place)

    def wake_one(self) -> None:
        """Let whoever has waited longest for a connection look for one."""
        while self.waiting:
            place = self.waiting.popleft()
            if not place.done():
                place.set_result(None)
                return


class _Awaited:
    """An answer that somebody awaits."""

    __slots__ = ("future", "is_told")

    def __init__(self, future: asyncio.Future[HttpReply]) -> None:
        self.future = future
        self.is_told = False

    def take(self, reply: HttpReply) -> None:
        self.is_told = True
        if not self.future.done():
            self.future.set_result(reply)

    take_large = take  # whoever awaits it counts it

    def fail(self, error: NoAnswer | TooLarge) -> None:
        self.is_told = True
        if not self.future.done():
            self.future.set_exception(error)
