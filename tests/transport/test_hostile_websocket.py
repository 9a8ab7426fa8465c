"""Hostile WebSocket clients, frame by frame over raw sockets: each is closed with a code, and the server lives on."""

from __future__ import annotations

import base64
import json
import os
import socket
import struct
import time
from contextlib import suppress
from typing import Any

import pytest

MIB = 1 << 20
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frame(
    payload: bytes,
    opcode: int = TEXT,
    *,
    fin: bool = True,
    reserved: int = 0,
    masked: bool = True,
    size: int | None = None,
) -> bytes:
    """Return one frame; `size` lies about the payload's length."""
    length = len(payload) if size is None else size
    head = bytes([fin << 7 | reserved << 4 | opcode])
    mask_bit = masked << 7
    if length < 126:
        head += bytes([mask_bit | length])
    elif length < 65_536:
        head += bytes([mask_bit | 126]) + struct.pack("!H", length)
    else:
        head += bytes([mask_bit | 127]) + struct.pack("!Q", length)
    return head + (b"\0\0\0\0" if masked else b"") + payload  # a mask of zeros changes nothing


def message(value: Any) -> bytes:
    return frame(json.dumps(value).encode())


INIT = message({"type": "connection_init"})


def subscribe(payload: Any, identity: Any = "1") -> bytes:
    return message({"type": "subscribe", "id": identity, "payload": payload})


INVALID, UNAUTHORIZED = 4400, 4401

FRAMES: dict[str, tuple[bytes, int]] = {
    "binary": (frame(b"{}", BINARY), INVALID),
    "empty": (frame(b""), INVALID),
    "not JSON": (frame(b"hello"), INVALID),
    "half JSON": (frame(b'{"type":'), INVALID),
    "a list": (message([]), INVALID),
    "null": (message(None), INVALID),
    "a number": (message(1), INVALID),
    "no type": (message({}), INVALID),
    "type is null": (message({"type": None}), INVALID),
    "type is a list": (message({"type": ["subscribe"]}), INVALID),
    "unknown type": (message({"type": "hack"}), INVALID),
    "the old protocol's start": (message({"type": "start", "id": "1", "payload": {"query": "{a}"}}), INVALID),
    "the old protocol's end": (message({"type": "connection_terminate"}), INVALID),
    "a server's message": (message({"type": "next", "id": "1", "payload": {}}), INVALID),
    "acknowledging itself": (message({"type": "connection_ack"}), INVALID),
    "init with a list": (message({"type": "connection_init", "payload": [1]}), INVALID),
    "ping with text": (message({"type": "ping", "payload": "x"}), INVALID),
    "pong with a number": (message({"type": "pong", "payload": 1}), INVALID),
    "subscribe before init": (subscribe({"query": "{ open }"}), UNAUTHORIZED),
    "init twice": (INIT + INIT, 4429),
    "init twice at once, differently": (INIT + message({"type": "connection_init", "payload": {}}), 4429),
    "bad token": (message({"type": "connection_init", "payload": {"authorization": "Bearer bad"}}), UNAUTHORIZED),
    "bad token, nested": (
        message({"type": "connection_init", "payload": {"headers": {"Authorization": "x"}}}),
        UNAUTHORIZED,
    ),
    "forbidden": (message({"type": "connection_init", "payload": {"authorization": "Bearer forbidden"}}), 4403),
    "no id": (INIT + message({"type": "subscribe", "payload": {"query": "{a}"}}), INVALID),
    "id is empty": (INIT + subscribe({"query": "{a}"}, ""), INVALID),
    "id is a number": (INIT + subscribe({"query": "{a}"}, 1), INVALID),
    "id is an object": (INIT + subscribe({"query": "{a}"}, {}), INVALID),
    "id is endless": (INIT + subscribe({"query": "{a}"}, "x" * 10_000), INVALID),
    "no payload": (INIT + message({"type": "subscribe", "id": "1"}), INVALID),
    "payload is text": (INIT + subscribe("{a}"), INVALID),
    "payload is a batch": (INIT + subscribe([{"query": "{a}"}]), INVALID),
    "complete without an id": (INIT + message({"type": "complete"}), INVALID),
    "complete with a number": (INIT + message({"type": "complete", "id": 1}), INVALID),
    "same id twice": (INIT + subscribe({"query": "{ slow(seconds: 9) }"}) * 2, 4409),
    "deep JSON": (frame(b"[" * 100_000), INVALID),
    "deep message": (frame(b'{"type":' * 10_000), INVALID),
    "deep ping": (frame(b'{"type":"ping","payload":{"a":%b}}' % (b"[" * 300 + b"]" * 300)), INVALID),
    "deep ping after init": (INIT + frame(b'{"type":"ping","payload":{"a":%b}}' % (b"[" * 900 + b"]" * 900)), INVALID),
    "lone surrogate": (frame(b'{"type":"\\ud800"}'), INVALID),
    "not UTF-8": (frame(b"\xff\xfe"), 1007),
    "overlong UTF-8": (frame(b'{"type":"\xc0\xaf"}'), 1007),
    "half a character": (frame("é".encode()[:1]), 1007),
    "text in parts, one bad": (frame(b'{"a', fin=False) + frame(b"\xff}", 0), 1007),
    "too big": (frame(b" " * (MIB + 1)), 1009),
    "said to be too big": (frame(b"", size=1 << 40), 1009),
    "too big in parts": (frame(b" " * 600_000, fin=False) + frame(b" " * 600_000, 0), 1009),
    "not masked": (frame(b"{}", masked=False), 1002),
    "reserved bits": (frame(b"{}", reserved=4), 1002),
    "all reserved bits": (frame(b"{}", reserved=7), 1002),
    "reserved opcode": (frame(b"{}", 3), 1002),
    "reserved control opcode": (frame(b"", 11), 1002),
    "continuation of nothing": (frame(b"{}", 0), 1002),
    "text within text": (frame(b"{", fin=False) + frame(b"{}"), 1002),
    "ping in parts": (frame(b"x", PING, fin=False), 1002),
    "ping too long": (frame(b"x" * 126, PING), 1002),
    "close of one byte": (frame(b"\x03", CLOSE), 1002),
    "close with a reserved code": (frame(struct.pack("!H", 1005), CLOSE), 1002),
    "close with a bad reason": (frame(struct.pack("!H", 1000) + b"\xff", CLOSE), 1007),
}

OPERATIONS: dict[str, tuple[Any, str]] = {
    "empty": ({}, "BAD_REQUEST"),
    "query is a number": ({"query": 1}, "BAD_REQUEST"),
    "query is null": ({"query": None}, "BAD_REQUEST"),
    "operationName is a list": ({"query": "{a}", "operationName": []}, "BAD_REQUEST"),
    "operationName is endless": ({"query": "{a}", "operationName": "a" * 300}, "BAD_REQUEST"),
    "variables are a list": ({"query": "{a}", "variables": []}, "BAD_REQUEST"),
    "variables are deep": ({"query": "{a}", "variables": {"a": json.loads("[" * 200 + "]" * 200)}}, "BAD_REQUEST"),
    "variables are as deep as is read": (
        {"query": "{a}", "variables": {"a": json.loads("[" * 900 + "]" * 900)}},
        "BAD_REQUEST",
    ),
    "extensions are text": ({"query": "{a}", "extensions": "x"}, "BAD_REQUEST"),
    "unknown hash": (
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "a" * 64}}},
        "PERSISTED_QUERY_NOT_FOUND",
    ),
    "cursor is an object": ({"query": "{ open }", "extensions": {"concord": {"cursor": {}}}}, "EVENT_CURSOR_INVALID"),
    "cursor with a line break": (
        {"query": "{ open }", "extensions": {"concord": {"cursor": "1\nid: 2"}}},
        "EVENT_CURSOR_INVALID",
    ),
    "does not parse": ({"query": "{"}, "GRAPHQL_PARSE_FAILED"),
    "is not valid": ({"query": "{ nope }"}, "GRAPHQL_VALIDATION_FAILED"),
    "has no such operation": ({"query": "{ open }", "operationName": "Q"}, "OPERATION_RESOLUTION_FAILURE"),
    "bad variable": (
        {"query": "query ($v: [Int!]) { echo(numbers: $v) }", "variables": {"v": "x"}},
        "BAD_USER_INPUT",
    ),
    "too many tokens": ({"query": "{ " + "open " * 2_001 + "}"}, "MAX_TOKENS_LIMIT"),
    "too deep": ({"query": "{a" * 100}, "MAX_DEPTH_LIMIT"),
    "too many aliases": (
        {"query": "{ book(id: 1) { " + " ".join(f"a{each}: id" for each in range(31)) + " } }"},
        "MAX_ALIASES_LIMIT",
    ),
    "fragment bomb": (
        {
            "query": "{ ...F0 } "
            + " ".join(f"fragment F{each} on Query {{ ...F{each + 1} ...F{each + 1} }}" for each in range(40))
            + " fragment F40 on Query { open }"
        },
        "MAX_FIELDS_LIMIT",
    ),
}


class Raw:
    """A WebSocket connection that follows no rules."""

    def __init__(self, port: int, subprotocol: str = "graphql-transport-ws") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /graphql HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
            f"sec-websocket-key: {key}\r\nsec-websocket-protocol: {subprotocol}\r\n\r\n".encode()
        )
        self.received = b""
        while b"\r\n\r\n" not in self.received:
            self._fill()
        head, _, self.received = self.received.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101"), head

    def _fill(self) -> None:
        part = self.socket.recv(65_536)
        if not part:
            raise EOFError
        self.received += part

    def _take(self, count: int) -> bytes:
        while len(self.received) < count:
            self._fill()
        taken, self.received = self.received[:count], self.received[count:]
        return taken

    def read(self) -> tuple[int, bytes]:
        """Return opcode and payload of the next frame."""
        first, second = self._take(2)
        length = second
        if second == 126:
            (length,) = struct.unpack("!H", self._take(2))
        elif second == 127:
            (length,) = struct.unpack("!Q", self._take(8))
        return first & 15, self._take(length)

    def read_close(self) -> int:
        """Return the code of the close frame that must come."""
        while True:
            opcode, payload = self.read()
            if opcode == CLOSE:
                code: int = struct.unpack("!H", payload[:2])[0]
                return code


def is_alive(port: int) -> bool:
    client = Raw(port)
    client.socket.sendall(INIT + subscribe({"query": "{ __typename }"}))
    answers = [client.read()[1] for _ in range(3)]
    client.socket.close()
    return json.loads(answers[1]) == {"type": "next", "id": "1", "payload": {"data": {"__typename": "Query"}}}


@pytest.mark.parametrize("name", FRAMES)
def test_a_hostile_frame_closes_its_own_connection_with_a_code(door: Any, name: str) -> None:
    sent, code = FRAMES[name]
    client = Raw(door.port)
    with suppress(BrokenPipeError, ConnectionResetError):  # closed before all was sent: the close frame is there
        client.socket.sendall(sent)
    assert client.read_close() == code
    client.socket.close()
    assert is_alive(door.port)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_hostile_operation_is_refused_and_its_connection_goes_on(door: Any, name: str) -> None:
    payload, code = OPERATIONS[name]
    client = Raw(door.port)
    client.socket.sendall(INIT + subscribe(payload, "h"))
    client.read()
    told = json.loads(client.read()[1])
    assert (told["type"], told["id"], told["payload"][0]["extensions"]["code"]) == ("error", "h", code)
    client.socket.sendall(subscribe({"query": "{ __typename }"}, "h"))
    assert json.loads(client.read()[1])["payload"] == {"data": {"__typename": "Query"}}
    client.socket.close()


def test_a_client_that_never_reads_is_dropped(door: Any) -> None:
    before = door.memory_bytes()
    client = Raw(door.port)
    query = "subscription { ticks(count: 100000, size: 50000) { number padding } }"
    client.socket.sendall(INIT + subscribe({"query": query}))
    time.sleep(5)  # the server gives a reader three seconds
    for _ in range(10_000):  # what had been sent before is still there
        try:
            opcode, _ = client.read()
        except (EOFError, ConnectionResetError):
            break
        if opcode == CLOSE:
            break
        assert opcode == TEXT
    else:
        pytest.fail("the server goes on")
    client.socket.close()
    assert door.memory_bytes() - before < 50 << 20
    assert is_alive(door.port)


def test_a_flood_of_pings_is_answered_at_the_reader_s_pace(door: Any) -> None:
    client = Raw(door.port)
    client.socket.sendall(INIT + message({"type": "ping"}) * 2_000)
    assert json.loads(client.read()[1]) == {"type": "connection_ack"}
    assert {client.read()[1] for _ in range(2_000)} == {b'{"type":"pong"}'}
    client.socket.close()
    assert is_alive(door.port)
