"""A subgraph of subscriptions behind a real socket, that says what the test tells it to: graphql-transport-ws, no more."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol


class ScriptedStreams:
    """Counts connections and subscriptions, and tells events to all that are open."""

    def __init__(self) -> None:
        self.connections: set[ServerConnection] = set()
        self.connected = 0
        """Connections that ever were."""
        self.headers: list[dict[str, str]] = []
        """Of each connection's handshake."""
        self.subscribed: list[dict[str, Any]] = []
        """Payloads of all subscriptions that ever were."""
        self.open: dict[tuple[ServerConnection, str], dict[str, Any]] = {}
        """Those that are open, by connection and id."""
        self.refuses = False
        """Whether it lets nobody in."""
        self._news = asyncio.Condition()
        self._server: Server | None = None

    async def start(self) -> ScriptedStreams:
        self._server = await serve(self._serve, "127.0.0.1", 0, subprotocols=[Subprotocol("graphql-transport-ws")])
        self.port = next(iter(self._server.sockets)).getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/graphql"
        return self

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so of what has come."""
        async with asyncio.timeout(60), self._news:
            await self._news.wait_for(is_so)

    def on(self, connection: ServerConnection) -> list[str]:
        """Return the ids of what is open on a connection."""
        return [identity for each, identity in self.open if each is connection]

    def _open(self, of: str | None) -> list[tuple[ServerConnection, str]]:
        """Return what is open, with a value of the variable `of` or with any."""
        return [key for key, payload in self.open.items() if of is None or payload["variables"]["of"] == of]

    async def tell(self, data: Any, of: str | None = None) -> None:
        """Tell an event to all that are open, or to those whose variable `of` is this."""
        for connection, identity in self._open(of):
            message = {"id": identity, "type": "next", "payload": {"data": data}}
            await connection.send(json.dumps(message))

    async def complete(self, of: str | None = None) -> None:
        """Complete all that are open, or those whose variable `of` is this."""
        for connection, identity in self._open(of):
            del self.open[connection, identity]
            await connection.send(json.dumps({"id": identity, "type": "complete"}))

    def cut(self) -> None:
        """Cut all connections."""
        for connection in self.connections:
            connection.transport.abort()

    async def _serve(self, connection: ServerConnection) -> None:
        self.connections.add(connection)
        self.connected += 1
        assert connection.request is not None
        self.headers.append({name.lower(): value for name, value in connection.request.headers.raw_items()})
        try:
            async for text in connection:
                message = json.loads(text)
                match message["type"]:
                    case "connection_init" if self.refuses:
                        await connection.close(4403, "Forbidden")
                    case "connection_init":
                        await connection.send('{"type":"connection_ack"}')
                    case "subscribe":
                        self.subscribed.append(message["payload"])
                        self.open[connection, message["id"]] = message["payload"]
                    case "complete":
                        self.open.pop((connection, message["id"]), None)
                await self._tell_news()
        except ConnectionClosed:
            pass
        finally:
            self.connections.discard(connection)
            for each in [key for key in self.open if key[0] is connection]:
                del self.open[each]
            await self._tell_news()

    async def _tell_news(self) -> None:
        async with self._news:
            self._news.notify_all()
