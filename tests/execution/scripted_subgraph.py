"""A subgraph of the test's choosing behind a real socket: it answers, lies, stalls or hangs up as told."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

Say = Callable[[dict[str, Any]], Any]


class ScriptedSubgraph:
    """Speaks just enough HTTP/1.1. `say` gets a request's JSON body and returns the answer's JSON value.

    `behave` replaces that with anything a socket can do: it gets the reader's request and the writer.
    """

    def __init__(self) -> None:
        self.say: Say = lambda request: {"data": None}
        self.behave: Callable[[asyncio.StreamWriter, dict[str, Any]], Awaitable[None]] | None = None
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.raw_heads: list[bytes] = []
        self.connections = 0
        self.open = 0
        """Connections that are open."""
        self.closed_by_peer = asyncio.Event()
        self.asked = asyncio.Event()
        self.news = asyncio.Condition()
        self._server: asyncio.Server | None = None

    async def start(self) -> ScriptedSubgraph:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/graphql"
        return self

    def reset(self) -> None:
        self.say, self.behave = (lambda request: {"data": None}), None
        self.requests.clear()
        self.headers.clear()
        self.raw_heads.clear()
        self.connections = 0
        self.closed_by_peer = asyncio.Event()
        self.asked = asyncio.Event()

    async def got(self, requests: int) -> None:
        """Wait until so many requests have come."""
        async with self.news:
            await self.news.wait_for(lambda: len(self.requests) >= requests)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            while True:
                raw_head = await reader.readuntil(b"\r\n\r\n")
                head = raw_head.decode("latin-1")
                headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
                body = json.loads(await reader.readexactly(int(headers.get("content-length", "0"))))
                self.headers.append(headers)
                self.raw_heads.append(raw_head)
                self.requests.append(body)
                self.asked.set()
                async with self.news:
                    self.news.notify_all()
                if self.behave is not None:
                    behaving = asyncio.ensure_future(self.behave(writer, body))
                    gone = asyncio.ensure_future(reader.read(1))
                    await asyncio.wait({behaving, gone}, return_when=asyncio.FIRST_COMPLETED)
                    if gone.done() and not behaving.done():
                        self.closed_by_peer.set()
                        behaving.cancel()
                    gone.cancel()
                    await asyncio.gather(behaving, gone, return_exceptions=True)
                    return
                answer = json.dumps(self.say(body)).encode()
                writer.write(reply(answer, connection="keep-alive"))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self.open -= 1
            writer.close()


def reply(
    body: bytes,
    status: str = "200 OK",
    content_type: str = "application/json",
    headers: str = "",
    length: int | None = None,
    connection: str = "close",
) -> bytes:
    """A whole HTTP reply; `length` may lie."""
    size = len(body) if length is None else length
    return (
        f"HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {size}\r\nconnection: {connection}\r\n{headers}\r\n".encode()
        + body
    )


def sends(data: bytes) -> Callable[[asyncio.StreamWriter, dict[str, Any]], Awaitable[None]]:
    """Behaviour: write these bytes, whatever is asked, and close."""

    async def behave(writer: asyncio.StreamWriter, _: dict[str, Any]) -> None:
        writer.write(data)
        await writer.drain()

    return behave


async def hangs(_writer: asyncio.StreamWriter, _: dict[str, Any]) -> None:
    """Behaviour: never answer."""
    await asyncio.sleep(60)


async def resets(writer: asyncio.StreamWriter, _: dict[str, Any]) -> None:
    """Behaviour: reset the connection after the request was read."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
