"""Whatever a caller is refused or left without, its correlation id is in the log: in one line, once, on every transport."""

from __future__ import annotations

import asyncio
import json
import logging
import socket

import pytest
from guarded import Scripted, composed, gate_to, told

from gateway.access.persisted import RememberedDocuments
from gateway.access.settings import AccessSettings
from gateway.engine import Engine, EngineLimits
from gateway.execution.ports import SubgraphFailure
from gateway.telemetry.log import JsonLines

LINK = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@authenticated"])\n'
ONE = "type Query { one(n: Int): String bad: String odd: String guarded: String } type Subscription { ticks: Tick } type Tick { id: ID! name: String }"
LINKED = LINK + ONE.replace("guarded: String", "guarded: String @authenticated").replace(
    "type Tick", 'type Tick @key(fields: "id")'
)
TWO = "type Query { two: String three: String }"
ENTITIES = LINK + 'type Tick @key(fields: "id") { id: ID! late: String } type Query { two: String three: String }'


class Failing(Scripted):
    """A system that can't be reached."""

    async def fetch(self, request, context):
        raise SubgraphFailure("SYSTEM_TIMEOUT", "it took too long", is_sent=True)


class Odd:
    """An answer that can't be read the first time."""

    body = None

    def __init__(self, value):
        self._value = value
        self._is_read = False

    @property
    def value(self):
        if not self._is_read:
            self._is_read = True
            raise IndexError("a bug that costs time only")
        return self._value


class Bug(Scripted):
    async def fetch(self, request, context):
        if "odd" in request.document:
            error = {"message": "m", "path": ["odd"], "extensions": {"code": "NOT_FOUND"}}
            return Odd({"data": {"odd": None}, "errors": [error]})
        if "bad" in request.document:
            raise ZeroDivisionError("a bug of ours")
        return await super().fetch(request, context)


async def ticking():
    for number in range(3):
        yield {"ticks": {"id": str(number), "name": "t"}}


@pytest.fixture
async def gate():
    one = Bug(ONE, {"one": "yes", "guarded": "no", "ticks": lambda **_: ticking()})
    engine = Engine(
        composed(one=LINKED, two=ENTITIES),
        {"one": one, "two": Failing(TWO, {})},
        limits=EngineLimits(cost=100),
        documents=RememberedDocuments(),
    )
    try:
        async with gate_to(engine, AccessSettings(anonymous=True)) as gate:
            yield gate
    finally:
        engine.close()


POSTS = {
    "GRAPHQL_PARSE_FAILED": {"query": "{"},
    "GRAPHQL_VALIDATION_FAILED": {"query": "{ nothing none }"},
    "BAD_USER_INPUT": {"query": "query($n: Int) { one(n: $n) }", "variables": {"n": "x"}},
    "OPERATION_RESOLUTION_FAILURE": {"query": "{ one }", "operationName": "Q"},
    "MAX_ALIASES_LIMIT": {"query": "{ " + " ".join(f"a{each}: one" for each in range(31)) + " }"},
    "BATCHING_NOT_SUPPORTED": [],
    "PERSISTED_QUERY_NOT_FOUND": {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "a" * 64}}},
    "BAD_REQUEST": {"query": "subscription { ticks { id } }"},
    "UNAUTHORIZED_FIELD_OR_TYPE": {"query": "{ one guarded }"},
    "SYSTEM_TIMEOUT": {"query": "{ one two three }"},
    "INTERNAL_SERVER_ERROR": {"query": "{ bad }"},
    "NOT_FOUND": {"query": "{ odd }"},
}


async def errors_of(gate) -> list[dict]:
    """Let everything fail that can; return the errors."""
    found = []

    def take(errors, code):
        assert code in [each["extensions"]["code"] for each in errors]
        found.extend(errors)

    for code, body in POSTS.items():
        for _ in range(2):  # the second time over what is known by then
            response = await gate.client.post(gate.graphql, json=body)
            take(response.json()["errors"], code)
            assert {each["extensions"]["correlationId"] for each in response.json()["errors"]} == {
                response.headers["x-correlation-id"]
            }
    asked = {
        "UNAUTHENTICATED": {"headers": {"authorization": "Bearer bad"}},
        "NOT_ACCEPTABLE": {"headers": {"accept": "image/png"}},
        "UNSUPPORTED_MEDIA_TYPE": {"headers": {"content-type": "text/plain"}},
        "PAYLOAD_TOO_LARGE": {"headers": {"content-type": "application/json"}, "content": b" " * (1 << 21)},
    }
    for code, more in asked.items():
        sent = {"content": b'{"query":"{ one }"}', **more}
        sent["headers"] = {"content-type": "application/json", **more["headers"]}
        take((await gate.client.post(gate.graphql, **sent)).json()["errors"], code)
    take((await gate.client.delete(gate.graphql)).json()["errors"], "METHOD_NOT_ALLOWED")
    foreign = await gate.client.get(f"{gate.graphql}?query={{one}}", headers={"sec-fetch-site": "cross-site"})
    take(foreign.json()["errors"], "CSRF_PREVENTED")
    take((await gate.client.get(f"{gate.url}/nowhere")).json()["errors"], "NOT_FOUND")
    host, port = gate.url.removeprefix("http://").split(":")
    for sent in (b"not HTTP\r\n\r\n", b"GET /graphql HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 40_000 + b"\r\n\r\n"):
        text = await asyncio.to_thread(exchanged, host, int(port), sent)
        take(
            json.loads(text.partition(b"\r\n\r\n")[2])["errors"],
            "BAD_REQUEST" if sent.startswith(b"not") else "HEADERS_TOO_LARGE",
        )
    events = "subscription { ticks { id late } }"
    async with gate.socket() as connection:
        assert (await told(connection))["type"] == "connection_ack"
        for number, query in enumerate(("{", "{ two }", events)):
            await connection.send(json.dumps({"type": "subscribe", "id": str(number), "payload": {"query": query}}))
            while (message := await told(connection))["type"] != "complete":
                assert message["type"] == "error" or "errors" in message["payload"], message
                errors = message["payload"] if message["type"] == "error" else message["payload"]["errors"]
                found.extend(errors)
                if message["type"] == "error":
                    break
    stream = await gate.client.post(gate.graphql, json={"query": events}, headers={"accept": "text/event-stream"})
    parts = [json.loads(line[6:]) for line in stream.text.splitlines() if line.startswith("data: {")]
    assert len(parts) == 3
    for part in parts:
        take(part["errors"], "SYSTEM_TIMEOUT")
    return found


def exchanged(host: str, port: int, sent: bytes) -> bytes:
    with socket.create_connection((host, port), timeout=60) as connection:
        connection.sendall(sent)
        received = b""
        while part := connection.recv(65_536):
            received += part
        return received


async def test_each_error_is_in_the_log_exactly_once(gate, caplog):
    caplog.set_level(logging.DEBUG, "concord")
    errors = await errors_of(gate)
    lines = [JsonLines().format(record) for record in caplog.records if record.name.startswith("concord")]
    ids = {each["extensions"]["correlationId"] for each in errors}
    assert len(ids) > 35
    for each in ids:
        assert len([line for line in lines if f'"{each}"' in line]) == 1, each
        assert len([record for record in caplog.records if f'"{each}"' in record.getMessage()]) == 0
    # What clients don't read is there: both systems' reasons, in the one line of their request, and a bug with its trace.
    assert any('"reason":"it took too long"' in line for line in lines)
    assert any("ZeroDivisionError: a bug of ours" in line for line in lines)
    faulty = [line for line in lines if "IndexError: a bug that costs time only" in line]
    assert len(faulty) == 2
    assert all('"codes":["one NOT_FOUND"]' in line and '"level":"error"' in line for line in faulty)
