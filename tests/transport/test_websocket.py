"""graphql-transport-ws, frame by frame."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

TICKS = "subscription T($count: Int!, $everyMs: Int!) { ticks(count: $count, everyMs: $everyMs) { number } }"


class Socket:
    """A client that speaks in messages."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, kind: str, identity: str | None = None, **payload: Any) -> None:
        message = {"type": kind, "id": identity, "payload": payload or None}
        await self.connection.send(json.dumps({name: value for name, value in message.items() if value is not None}))

    async def read(self) -> Any:
        async with asyncio.timeout(30):
            return json.loads(await self.connection.recv())

    async def closed(self) -> tuple[int, str]:
        with pytest.raises(ConnectionClosed):
            async with asyncio.timeout(30):
                while True:
                    await self.connection.recv()
        return self.connection.close_code or 0, self.connection.close_reason or ""


@asynccontextmanager
async def bare(door: Any, **options: Any) -> AsyncIterator[Socket]:
    options = {"subprotocols": ["graphql-transport-ws"], **options}
    async with connect(door.websocket, proxy=None, ping_interval=None, **options) as connection:
        yield Socket(connection)


@asynccontextmanager
async def acknowledged(door: Any, **payload: Any) -> AsyncIterator[Socket]:
    async with bare(door) as socket:
        await socket.send("connection_init", **payload)
        assert await socket.read() == {"type": "connection_ack"}
        yield socket


async def test_operations_of_every_kind_share_a_connection(door: Any) -> None:
    async with acknowledged(door) as socket:
        await socket.send("subscribe", "s", query=TICKS, variables={"count": 2, "everyMs": 30})
        await socket.send("subscribe", "q", query="{ book(id: 2) { title } }")
        answers = [await socket.read() for _ in range(5)]
        of = {each: [answer for answer in answers if answer["id"] == each] for each in "sq"}
        assert of["q"] == [
            {"type": "next", "id": "q", "payload": {"data": {"book": {"title": "Kindred"}}}},
            {"type": "complete", "id": "q"},
        ]
        assert of["s"] == [
            {
                "type": "next",
                "id": "s",
                "payload": {"data": {"ticks": {"number": each}}, "extensions": {"concord": {"cursor": str(each)}}},
            }
            for each in (0, 1)
        ] + [{"type": "complete", "id": "s"}]
        await socket.send("subscribe", "m", query='mutation { addBook(title: "Ubik") { title } }')
        assert (await socket.read())["payload"] == {"data": {"addBook": {"title": "Ubik"}}}


async def test_a_subscription_resumes_after_a_cursor(door: Any) -> None:
    async with acknowledged(door) as socket:
        variables = {"count": 1, "everyMs": 1}
        await socket.send("subscribe", "1", query=TICKS, variables=variables, extensions={"concord": {"cursor": "41"}})
        assert (await socket.read())["payload"]["data"] == {"ticks": {"number": 42}}
    async with acknowledged(door, headers={"Last-Event-ID": "41"}) as socket:
        await socket.send("subscribe", "1", query=TICKS, variables=variables)
        assert (await socket.read())["payload"]["data"] == {"ticks": {"number": 0}}


async def test_a_refused_operation_ends_alone(door: Any) -> None:
    async with acknowledged(door) as socket:
        await socket.send("subscribe", "1", query="{ nope }")
        refused = await socket.read()
        assert (refused["type"], refused["id"]) == ("error", "1")
        assert refused["payload"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
        await socket.send("subscribe", "1", query="{ __typename }")
        assert (await socket.read())["payload"] == {"data": {"__typename": "Query"}}


async def test_a_source_that_refuses_to_start_ends_the_operation(door: Any) -> None:
    async with acknowledged(door) as socket:
        variables = {"count": 1, "everyMs": 1}
        await socket.send("subscribe", "1", query=TICKS, variables=variables, extensions={"concord": {"cursor": "x"}})
        refused = await socket.read()
        assert (refused["type"], refused["payload"][0]["extensions"]["code"]) == ("error", "EVENT_CURSOR_INVALID")
        await socket.send("subscribe", "1", query=TICKS, variables=variables)
        assert (await socket.read())["type"] == "next"


async def test_limits_are_those_of_http(door: Any, http: httpx2.AsyncClient) -> None:
    deep = "{ book(id: 1) " + "{ sequel " * 20 + "{ id }" + " }" * 20 + " }"
    over_http = (await http.post(door.graphql, json={"query": deep})).json()["errors"]
    async with acknowledged(door) as socket:
        await socket.send("subscribe", "1", query=deep)
        over_websocket = (await socket.read())["payload"]
    for errors in (over_http, over_websocket):
        del errors[0]["extensions"]["correlationId"]
    assert over_http == over_websocket
    assert over_http[0]["extensions"] == {
        "code": "MAX_DEPTH_LIMIT",
        "class": "LIMIT",
        "system": "gateway",
        "retryable": False,
        "limit": {"name": "depth", "value": 15, "figure": 22},
    }


async def test_pings_are_answered_before_and_after_the_acknowledgement(door: Any) -> None:
    async with bare(door) as socket:
        await socket.send("ping", n=1)
        assert await socket.read() == {"type": "pong", "payload": {"n": 1}}
        await socket.send("connection_init")
        assert await socket.read() == {"type": "connection_ack"}
        await socket.send("pong")
        await socket.send("ping")
        assert await socket.read() == {"type": "pong"}


async def test_completing_stops_the_source_and_frees_the_id(door: Any, http: httpx2.AsyncClient) -> None:
    async def open_streams() -> int:
        count: int = (await http.post(door.graphql, json={"query": "{ open }"})).json()["data"]["open"]
        return count

    async def wait_for(count: int) -> None:
        async with asyncio.timeout(30):
            while await open_streams() != count:  # noqa: ASYNC110 - counted in another process
                await asyncio.sleep(0.02)

    await wait_for(0)
    async with acknowledged(door) as socket:
        await socket.send("subscribe", "1", query=TICKS, variables={"count": 1000, "everyMs": 60_000})
        await wait_for(1)
        await socket.send("complete", "1")
        await socket.send("complete", "unknown")
        await wait_for(0)
        await socket.send("subscribe", "1", query=TICKS, variables={"count": 1000, "everyMs": 60_000})
        await wait_for(1)
    await wait_for(0)


async def test_a_connection_carries_a_hundred_operations(door: Any) -> None:
    async with acknowledged(door) as socket:
        for number in range(101):
            await socket.send("subscribe", str(number), query=TICKS, variables={"count": 1, "everyMs": 60_000})
        refused = await socket.read()
        assert (refused["type"], refused["id"], refused["payload"][0]["extensions"]["code"]) == (
            "error",
            "100",
            "SUBSCRIPTION_LIMIT",
        )
        await socket.send("complete", "0")
        await socket.send("subscribe", "100", query="{ __typename }")
        assert (await socket.read())["type"] == "next"


async def test_credentials_come_with_the_initialisation(door: Any) -> None:
    async with acknowledged(door, headers={"Authorization": "Bearer good"}) as socket:
        await socket.send("ping")
        assert (await socket.read())["type"] == "pong"
    for token, expected in (
        ("bad", (4401, "UNAUTHENTICATED: Credentials are missing or not valid.")),
        ("forbidden", (4403, "FORBIDDEN: The caller may not do this.")),
    ):
        async with bare(door) as socket:
            await socket.send("connection_init", authorization=f"Bearer {token}")
            assert await socket.closed() == expected
    async with acknowledged(door, Authorization=f"Bearer {time.time() + 0.2:.3f}") as socket:
        reason = "TOKEN_EXPIRED: The credentials expired; connect again with new ones."
        assert await socket.closed() == (4401, reason)


async def test_silence_instead_of_an_initialisation_ends(door: Any) -> None:
    async with bare(door) as socket:
        assert await socket.closed() == (4408, "Connection initialisation timeout")


async def test_the_protocol_s_own_refusals(door: Any) -> None:
    async with bare(door) as socket:
        await socket.send("subscribe", "1", query="{ __typename }")
        assert await socket.closed() == (4401, "Unauthorized")
    async with acknowledged(door) as socket:
        await socket.send("connection_init")
        assert await socket.closed() == (4429, "Too many initialisation requests")
    async with acknowledged(door) as socket:
        for _ in range(2):
            await socket.send("subscribe", "x", query=TICKS, variables={"count": 1, "everyMs": 60_000})
        assert await socket.closed() == (4409, "Subscriber for x already exists")
    async with bare(door, subprotocols=None) as socket:
        assert await socket.closed() == (4406, "Subprotocol not acceptable")
    async with bare(door, subprotocols=["graphql-ws"]) as socket:
        assert await socket.closed() == (4406, "Subprotocol not acceptable")


async def test_a_page_of_another_site_opens_no_connection(door: Any) -> None:
    assert await refusal(door.websocket, origin="https://evil.example") == (403, "FORBIDDEN")
    async with bare(door, origin=door.url) as socket:
        await socket.send("ping")
        assert (await socket.read())["type"] == "pong"


async def refusal(url: str, **options: Any) -> tuple[int, str]:
    """Return status and code of the answer to a handshake that is refused."""
    with pytest.raises(InvalidStatus) as refused:
        async with connect(url, proxy=None, subprotocols=["graphql-transport-ws"], **options):
            pass
    response = refused.value.response
    code: str = json.loads(response.body)["errors"][0]["extensions"]["code"]
    return response.status_code, code


@pytest.mark.parametrize("path", ["/", "/nothing", "/health", "/console/page.js", "/graphql/"])
async def test_other_paths_take_no_websocket(door: Any, path: str) -> None:
    assert await refusal(f"ws://127.0.0.1:{door.port}{path}") == (404, "NOT_FOUND")


async def test_a_handshake_has_the_limits_of_every_request(door: Any) -> None:
    many = {f"x-{each}": "1" for each in range(120)}
    assert await refusal(door.websocket, additional_headers=many) == (431, "HEADERS_TOO_LARGE")


async def test_a_process_that_stops_sends_clients_elsewhere(start: Any) -> None:
    door = start()
    async with acknowledged(door) as socket:
        await socket.send("subscribe", "1", query=TICKS, variables={"count": 1000, "everyMs": 60_000})
        door.process.terminate()
        assert (await socket.closed())[0] == 1012
    assert door.process.wait(5) == 0
