"""A process that is told to stop answers what has been asked of it, on whatever transport, and then ends."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

BODY = b'{"query":"{ book(id: 2) { title } }"}'
REQUEST = b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
    len(BODY),
    BODY,
)
ANSWER = {"data": {"book": {"title": "Kindred"}}}


def opened(door: Any) -> socket.socket:
    return socket.create_connection(("127.0.0.1", door.port), timeout=30)


def read(connection: socket.socket) -> tuple[bytes, Any]:
    """Return the head, in lower case, and the JSON of one answer."""
    stream = connection.makefile("rb")
    head = b"".join(iter(stream.readline, b"\r\n")).lower()
    length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return head, json.loads(stream.read(length))


def is_refused(door: Any) -> bool:
    try:
        opened(door).close()
    except ConnectionError:  # one that comes while the socket is being closed is reset
        return True
    return False


def test_what_is_on_its_way_when_the_process_stops_is_answered(start: Any) -> None:
    door = start("--receive-timeout", "30")
    with opened(door) as kept, opened(door) as fresh, opened(door) as half:
        kept.sendall(REQUEST)
        head, answer = read(kept)
        assert answer == ANSWER
        assert b"connection: close" not in head
        half.sendall(REQUEST[:40])
        kept.sendall(REQUEST)  # once more, so that the half one has been seen when this is answered
        assert read(kept)[1] == ANSWER
        door.process.terminate()
        kept.sendall(REQUEST)
        fresh.sendall(REQUEST)
        for each in (kept, fresh):
            head, answer = read(each)
            assert answer == ANSWER
        while not is_refused(door):
            pass
        half.sendall(REQUEST[40:])
        head, answer = read(half)
        assert answer == ANSWER
        assert b"\r\nconnection: close\r\n" in head
        for each in (kept, fresh, half):
            assert each.recv(1) == b""
    assert door.process.wait(30) == 0


async def test_an_answer_over_a_websocket_comes_before_the_goodbye(start: Any) -> None:
    door = start()
    async with connect(door.websocket, subprotocols=["graphql-transport-ws"], proxy=None) as connection:

        async def send(identity: str, query: str) -> None:
            await connection.send(json.dumps({"type": "subscribe", "id": identity, "payload": {"query": query}}))

        async def receive() -> Any:
            async with asyncio.timeout(30):
                return json.loads(await connection.recv())

        await connection.send('{"type": "connection_init"}')
        assert await receive() == {"type": "connection_ack"}
        await send("s", "subscription { ticks(count: 1000, everyMs: 60000) { number } }")
        await send("q", "{ slow(seconds: 1) }")
        await send("first", "{ book(id: 2) { title } }")
        assert (await receive())["id"] == "first"  # so the slow one, which came before, is being answered
        assert (await receive())["type"] == "complete"
        door.process.terminate()
        assert await receive() == {"type": "next", "id": "q", "payload": {"data": {"slow": "at last"}}}
        assert await receive() == {"type": "complete", "id": "q"}
        with pytest.raises(ConnectionClosed):
            await receive()
        assert (connection.close_code, connection.close_reason) == (1012, "Service restart")
    assert await asyncio.to_thread(door.process.wait, 30) == 0
