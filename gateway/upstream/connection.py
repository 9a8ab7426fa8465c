"""One HTTP/1.1 connection to a subgraph: one request at a time, and exactly what became of it.

Requests are not pipelined. Whatever goes wrong, the connection is closed and never used again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sized
from time import monotonic
from typing import Protocol, cast

from gateway.upstream.read_budget import AHEAD_BYTES, LARGE_BYTES, Lane, Portion, unread
from gateway.upstream.reading import KnownHeads, Reading
from gateway.upstream.transport import HttpReply, NoAnswer, TooLarge


class Answer(Protocol):
    """Where an answer goes. It is told one thing, once, and last: it may send the next request."""

    def take(self, reply: HttpReply, /) -> None:
        """Take the whole answer. The connection is free again."""

    def take_large(self, reply: HttpReply, /) -> None:
        """Take one that did not come at once, as it is large. Others wait for the room that it gives back afterwards."""

    def fail(self, error: NoAnswer | TooLarge, /) -> None:
        """Take what went wrong. The connection is closed."""


class Pool(Protocol):
    """Where connections are between requests."""

    @property
    def idle(self) -> list[Connection]:
        """Those that are free; whose answer came whole adds itself."""

    @property
    def waiting(self) -> Sized:
        """Who waits for one."""

    @property
    def lane(self) -> Lane:
        """Counts large answers of this address."""

    def wake_one(self) -> None:
        """Let one of them look, if there are any."""

    def lost(self, connection: Connection, /) -> None:
        """Take note of one that is closed."""


class Connection(asyncio.Protocol):
    """Sends a request's bytes and reads the answer. Idle between requests."""

    __slots__ = ("_answer", "_heads", "_known", "_pool", "_portion", "_reading", "deadline", "idle_since", "line")

    def __init__(self, known: KnownHeads, pool: Pool) -> None:
        self._known = known
        self._heads = known.heads
        self._pool = pool
        self._answer: Answer | None = None
        """Of the request that is under way."""
        self._reading: Reading | None = None
        """Of an answer that doesn't come as nearly all do."""
        self._portion: Portion | None = None
        """What it takes where it is large."""
        self.line: asyncio.Transport | None = None
        """What carries the bytes; None once it is lost."""
        self.idle_since = 0.0
        """Event loop's clock; when the last answer came."""
        self.deadline = 0.0
        """Event loop's clock; when what is under way has to end."""

    @property
    def is_busy(self) -> bool:
        """Whether a request is under way."""
        return self._answer is not None

    def send(self, request: bytes, answer: Answer) -> None:
        """Send a whole request over an open connection that is free.

        Whoever no longer waits for the answer calls `drop`.
        """
        line = self.line
        assert line is not None
        self._answer = answer
        line.write(request)

    def drop(self) -> None:
        """End the request under way; its answer is told to nobody."""
        # The rest must never be taken for the next one's.
        self._answer = None
        self.close()

    def fail(self, error: NoAnswer | TooLarge) -> None:
        """Fail what is under way, and close."""
        answer, self._answer = self._answer, None
        self.close()
        if answer is not None:
            answer.fail(error)

    def close(self) -> None:
        """Close at once; whatever is under way fails."""
        if self.line is not None:
            self.line.abort()
        if self._reading is not None:
            self._let_go(self._reading)

    def unanswered(self, reason: str, *, is_timeout: bool = False) -> NoAnswer:
        """Return that there is no answer for this reason, or that there was no room for it, if that held it up."""
        return unread(self._portion, reason) or NoAnswer(reason, is_timeout=is_timeout)

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the line."""
        self.line = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Read what came."""
        answer = self._answer
        if answer is None:
            # Nobody asked: an answer that is too long by some bytes, or a server that speaks first.
            self.close()
            return
        if self._reading is None:
            end = data.find(b"\r\n\r\n") + 4
            head = self._heads.get(data[:end])
            if head is not None and len(data) - end == head.length:
                # Nearly all answers come so: whole, and after a head like one before.
                self._answer = None
                self.idle_since = monotonic()
                pool = self._pool
                pool.idle.append(self)
                if pool.waiting:
                    pool.wake_one()
                answer.take(HttpReply(head.status, head.headers, data[end:]))
                return
            self._reading = Reading(self._known)
        reading = self._reading
        try:
            reply = reading.feed(data)
        except (NoAnswer, TooLarge) as error:
            self.fail(error)
        else:
            if reply is not None:
                self._end(reading, reply)
            elif reading.held > LARGE_BYTES:
                self._make_room(reading)

    def eof_received(self) -> bool:
        """Take the end of the stream for the end of a body that has no length."""
        if self._reading is not None:
            self._end(self._reading, self._reading.end())
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """Fail what is under way."""
        self.line = None
        self._pool.lost(self)
        self.fail(self.unanswered(f"connection lost: {error}" if error else "connection closed"))

    def _end(self, reading: Reading, reply: HttpReply | None) -> None:
        answer = self._answer
        if reply is None or answer is None:
            return
        # It holds its room until it is taken: what comes of it takes more than it does.
        portion, self._portion = self._portion, None
        self._answer = self._reading = None
        self.idle_since = monotonic()
        if reading.is_last:
            self.close()
        else:
            self._pool.idle.append(self)
            self._pool.wake_one()
        if portion is None:
            answer.take(reply)
            return
        try:
            answer.take_large(reply)
        finally:
            portion.give_back()

    def _make_room(self, reading: Reading) -> None:
        """Read no more of a large answer before there is room for what comes next."""
        if self._portion is None:
            self._portion = self._pool.lane.begin(reading.held, self._read_on)
        size = reading.held + AHEAD_BYTES
        if not self._portion.reach(size if reading.length is None else min(size, reading.length)):
            assert self.line is not None
            self.line.pause_reading()

    def _read_on(self) -> None:
        if self.line is not None:
            self.line.resume_reading()

    def _let_go(self, reading: Reading) -> None:
        """Hold nothing any more of an answer that nobody takes."""
        reading.let_go()
        self._reading = None
        portion, self._portion = self._portion, None
        if portion is not None:
            portion.give_back()
