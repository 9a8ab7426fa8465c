"""Connections reserved and opened in graphql-sse's single connection mode, and the operations on each.

<https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md#single-connection-mode>
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass

from gateway.access.caller import Caller
from gateway.errors import GatewayError
from gateway.execution.message import GraphQLResponse, refusal
from gateway.transport.ending import End, Ending
from gateway.transport.paced import close

_WAITING_EVENTS = 16
"""Events of one connection that may wait for its reader; the operations that make them wait in turn."""


@dataclass(frozen=True, slots=True)
class OperationEvent:
    """What one operation of a shared connection has to say: an answer, or (None) that it is complete."""

    id: str
    response: GraphQLResponse | None


class Reservation:
    """One connection, promised or open, and the operations that answer through it."""

    def __init__(self, owner: tuple[str | None, ...]) -> None:
        self.owner = owner
        """Whose it is."""
        self.events: asyncio.Queue[OperationEvent] = asyncio.Queue(_WAITING_EVENTS)
        self._operations: dict[str, asyncio.Task[None] | None] = {}
        self._refused: set[str] = set()
        self._group: asyncio.TaskGroup | None = None
        self._opened = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """Whether its reader has come."""
        return self._opened.is_set()

    def open(self, group: asyncio.TaskGroup) -> None:
        """Let the connection's reader in, whose task group runs the operations. Raises `GatewayError` if it is there."""
        if self._group is not None:
            raise GatewayError("CONFLICT", "This stream is already open.")
        self._group = group
        self._opened.set()

    def close(self) -> None:
        """Stop every operation: the reader has gone."""
        for operation in self._operations.values():
            if operation is not None:
                operation.cancel()
        self._operations.clear()
        self._opened.set()  # whoever waited for the reader waits no longer

    async def drawn(self) -> AsyncIterator[OperationEvent]:
        """Yield events as operations make them, without end."""
        while True:
            yield await self.events.get()

    def unsaid(self) -> list[OperationEvent]:
        """Return, and forget, what operations have said and the reader was not given."""
        return [self.events.get_nowait() for _ in range(self.events.qsize())]

    def running(self) -> dict[str, bool]:
        """Return the ids of the operations that are not complete, and whether each has said why it ends."""
        running = (identity for identity, operation in self._operations.items() if operation is not None)
        return {identity: identity in self._refused for identity in running}

    def claim(self, identity: str, limit: int) -> None:
        """Take an operation id. Raises `GatewayError` with CONFLICT or SUBSCRIPTION_LIMIT."""
        if identity in self._operations:
            raise GatewayError("CONFLICT", "An operation with this id is already running on this stream.")
        if len(self._operations) >= limit:
            raise GatewayError("SUBSCRIPTION_LIMIT")
        self._operations[identity] = None

    def release(self, identity: str) -> None:
        """Give an operation id back, and stop its operation if there is one."""
        operation = self._operations.pop(identity, None)
        if operation is not None:
            operation.cancel()

    async def run(
        self, identity: str, answers: AsyncIterator[GraphQLResponse], correlation_id: str, caller: Caller
    ) -> bool:
        """Send an operation's answers through the connection, once it is open. The id must have been claimed.

        False where that can't be: the operation was stopped meanwhile, or nobody reads the connection any more.
        """
        await self._opened.wait()
        if self._group is None or identity not in self._operations:
            await close(answers)
            return False
        self._operations[identity] = self._group.create_task(self._forward(identity, answers, correlation_id, caller))
        return True

    async def _forward(
        self, identity: str, answers: AsyncIterator[GraphQLResponse], correlation_id: str, caller: Caller
    ) -> None:
        this = asyncio.current_task()
        last: GraphQLResponse | None = None
        try:
            try:
                with Ending(caller) as ending:
                    async for response in answers:
                        await self.events.put(OperationEvent(identity, response))
                        if not response.has_data:
                            self._refused.add(identity)
            except Exception as error:  # noqa: BLE001 - an operation's edge: a bug is logged whole and shown masked
                last = refusal(GatewayError("INTERNAL_SERVER_ERROR"), correlation_id, cause=error)
            if ending.end is End.EXPIRED:
                last = refusal(GatewayError("TOKEN_EXPIRED"), correlation_id)
            if last is not None:
                await self.events.put(OperationEvent(identity, last))
                self._refused.add(identity)
            await self.events.put(OperationEvent(identity, None))
        finally:
            self._refused.discard(identity)
            if self._operations.get(identity) is this:
                del self._operations[identity]
            await close(answers)


class Reservations:
    """All reservations of one process, by their tokens. A reservation that nobody opens ends by itself."""

    def __init__(self, *, limit: int, unopened_s: float) -> None:
        self._by_token: dict[str, Reservation] = {}
        self._limit = limit
        self._unopened_s = unopened_s

    def reserve(self, owner: tuple[str | None, ...]) -> str:
        """Return the token of a new reservation. Raises `GatewayError` with OVERLOADED."""
        if len(self._by_token) >= self._limit:
            raise GatewayError("OVERLOADED", retry_after_ms=1_000)
        token = secrets.token_urlsafe(24)
        self._by_token[token] = Reservation(owner)
        asyncio.get_running_loop().call_later(self._unopened_s, self._end_unopened, token)
        return token

    def find(self, token: str, owner: tuple[str | None, ...]) -> Reservation:
        """Return the owner's reservation under a token. Raises `GatewayError` with NOT_FOUND."""
        reservation = self._by_token.get(token)
        if reservation is None or reservation.owner != owner:
            raise no_such_stream()
        return reservation

    def end(self, token: str) -> None:
        """Forget a reservation and stop its operations."""
        reservation = self._by_token.pop(token, None)
        if reservation is not None:
            reservation.close()

    def _end_unopened(self, token: str) -> None:
        reservation = self._by_token.get(token)
        if reservation is not None and not reservation.is_open:
            self.end(token)


def no_such_stream() -> GatewayError:
    """Return what is told to whoever names a connection that isn't there, or isn't any more."""
    return GatewayError("NOT_FOUND", "There is no such stream; reserve one with PUT.")
