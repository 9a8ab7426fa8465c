"""The WebSockets to one URL. Subscriptions with the same headers, of callers with equal rights, go over one together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection
from websockets.protocol import State

from gateway.execution.ports import RequestContext, SubgraphAnswer, SubgraphFailure, SubgraphRequest
from gateway.upstream.event_queue import EventQueue, QueueLimits, taken
from gateway.upstream.websocket_stream import Dial, Message, decoded, messages, send, send_text, unexpected

_Key = tuple[tuple[tuple[str, str], ...], str]


class SubgraphSockets:
    """Opens WebSockets as they are needed, and closes each with its last subscription."""

    def __init__(self, dial: Dial, limits: QueueLimits | None = None) -> None:
        self._dial = dial
        self._most = dial.limits.operations_per_socket
        self._limits = limits or QueueLimits()
        self._sockets: dict[_Key, list[_Socket]] = {}

    async def subscribe(
        self, request: SubgraphRequest, context: RequestContext
    ) -> AsyncGenerator[SubgraphAnswer, None]:
        """Yield an answer per event.

        Raises NoWebSocket before anything was sent, SubgraphFailure when the stream can't start or breaks.
        """
        key = (request.headers, context.caller.rights)
        usable = (each for each in self._sockets.get(key, ()) if each.is_usable and each.users < self._most)
        socket = next(usable, None)
        if socket is None:
            socket = _Socket(partial(self._dial.open, request, context), partial(self._forget, key))
            self._sockets.setdefault(key, []).append(socket)
        socket.users += 1
        identity, queue = socket.claim(self._limits)
        try:
            await socket.begin(identity, _payload(request.body, context.correlation_id))
            while (answer := await queue.next()) is not None:
                yield answer
        finally:
            socket.users -= 1
            await socket.leave(identity)

    def _forget(self, key: _Key, socket: _Socket) -> None:
        sockets = self._sockets.get(key, [])
        if socket in sockets:
            sockets.remove(socket)
            if not sockets:
                del self._sockets[key]


class _Socket:
    """One WebSocket, while it opens and while it is open."""

    def __init__(
        self, connect: Callable[[], Coroutine[Any, Any, ClientConnection]], forget: Callable[[_Socket], None]
    ) -> None:
        self.users = 0
        """Who has, or waits for, a subscription here."""
        self._forget = forget
        self._last_id = 0
        self._queues: dict[str, EventQueue[SubgraphAnswer]] = {}
        self._begun: set[str] = set()
        """Operations that the subgraph has been asked for and that it hasn't ended."""
        self._wanted = asyncio.Event()
        self._opened: asyncio.Future[ClientConnection] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(connect), name="subscriptions over a WebSocket")

    @property
    def is_usable(self) -> bool:
        """Whether another operation may begin here."""
        return not self._opened.done() or (
            self._opened.exception() is None and self._opened.result().state is State.OPEN
        )

    def claim(self, limits: QueueLimits) -> tuple[str, EventQueue[SubgraphAnswer]]:
        """Return the id of a new operation, and where its answers are put."""
        self._last_id += 1
        identity = str(self._last_id)
        self._queues[identity] = queue = EventQueue[SubgraphAnswer](self._wanted, limits)
        return identity, queue

    async def begin(self, identity: str, payload: bytes) -> None:
        """Begin an operation once the WebSocket is open. Raises NoWebSocket or SubgraphFailure."""
        connection = await asyncio.shield(self._opened)
        self._begun.add(identity)
        await send_text(connection, b'{"id":"%b","type":"subscribe","payload":%b}' % (identity.encode(), payload))

    async def leave(self, identity: str) -> None:
        """Let go of an operation; with the last one the WebSocket is closed, which tells the subgraph as much."""
        if self.users:
            with suppress(SubgraphFailure):  # who is still there hears of it from `_run`
                await self._stop(identity)
            return
        self._queues.clear()
        self._forget(self)
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _stop(self, identity: str) -> None:
        """Put nothing more into an operation's queue, and tell the subgraph if it doesn't know."""
        self._queues.pop(identity, None)
        if identity in self._begun:
            self._begun.discard(identity)
            await send(self._opened.result(), {"id": identity, "type": "complete"})

    async def _run(self, connect: Callable[[], Coroutine[Any, Any, ClientConnection]]) -> None:
        end: Exception = SubgraphFailure("SYSTEM_UNAVAILABLE", "the WebSocket was closed", is_sent=True)
        try:
            connection = await connect()
            self._opened.set_result(connection)
            try:
                async for message in messages(connection):
                    await self._take(connection, message)
                    await taken(self._queues.values(), self._wanted)
            finally:
                await connection.close()
        except Exception as error:  # noqa: BLE001 - expected or a bug, whoever subscribed is told
            end = error
        finally:
            self._forget(self)
            if not self._opened.done():
                self._opened.set_exception(end)
                self._opened.exception()  # it may be that nobody waits any more
            for queue in self._queues.values():
                queue.end(end)

    async def _take(self, connection: ClientConnection, message: Message) -> None:
        match message:
            case Message(type="ping"):
                await send(connection, {"type": "pong"})
            case Message(type="pong"):
                pass
            case Message(type="next" | "error" | "complete", id=str(identity)) if self._was_given(identity):
                queue = self._queues.get(identity)
                if queue is not None:  # of one that was stopped, more may have been on its way
                    await self._tell(queue, identity, message)
            case _:
                raise SubgraphFailure("SYSTEM_BAD_RESPONSE", unexpected(message), is_sent=True)

    def _was_given(self, identity: str) -> bool:
        return identity.isascii() and identity.isdecimal() and len(identity) < 10 and 0 < int(identity) <= self._last_id

    async def _tell(self, queue: EventQueue[SubgraphAnswer], identity: str, message: Message) -> None:
        body = bytes(message.payload)
        try:
            match message.type:
                case "next":
                    if queue.give(SubgraphAnswer(decoded(body), body), len(body)):
                        return
                case "error":
                    self._begun.discard(identity)
                    queue.give(SubgraphAnswer({"errors": decoded(body)}), len(body))
                    queue.end(None)
                case _:
                    self._begun.discard(identity)
                    queue.end(None)
        except SubgraphFailure as failed:
            queue.end(failed)
        await self._stop(identity)


def _payload(body: bytes, correlation_id: str) -> bytes:
    """Return a request's JSON with the id of whom it is for: the WebSocket's own is that of whoever opened it."""
    return b'%b,"extensions":{"concord":{"correlationId":%b}}}' % (body[:-1], orjson.dumps(correlation_id))
