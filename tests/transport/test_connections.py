"""Connections that are kept: nothing comes on them that was not asked for."""

from __future__ import annotations

import json
import socket
import time
from typing import Any


def post(query: str) -> bytes:
    body = json.dumps({"query": query}).encode()
    head = b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % len(body) + body


def opened(door: Any) -> socket.socket:
    return socket.create_connection(("127.0.0.1", door.port), timeout=60)


def read(connection: socket.socket) -> tuple[int, Any]:
    """Return the status and the JSON of one answer."""
    stream = connection.makefile("rb")
    status = int(stream.readline().split()[1])
    head = b"".join(iter(stream.readline, b"\r\n")).lower()
    length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return status, json.loads(stream.read(length))


def test_a_connection_whose_first_request_was_refused_for_overload_is_as_good_as_any(start: Any) -> None:
    door = start("--in-flight", "1", "--receive-timeout", "1")
    small, slow = post("{ book(id: 2) { title } }"), post("{ slow(seconds: 3) }")
    good = (200, {"data": {"book": {"title": "Kindred"}}})
    with opened(door) as known, opened(door) as busy:
        for _ in range(2):  # its head and the document are known by then
            known.sendall(small)
            assert read(known) == good
        status = 200
        while status == 200:  # it came before the slow one
            busy.sendall(slow)
            time.sleep(0.5)
            fresh = opened(door)
            fresh.sendall(small)
            status, refused = read(fresh)
            read(busy)
            if status == 200:
                fresh.close()
        assert (status, refused["errors"][0]["extensions"]["code"]) == (503, "OVERLOADED")
        # More time has gone than a head may take to arrive. Had something come, it would be read as the next answer.
        fresh.sendall(small)
        assert read(fresh) == good
        fresh.close()
