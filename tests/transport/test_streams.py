"""Streams over one HTTP response: server-sent events and multipart."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from typing import Any

import httpx2

TICKS = "subscription T($count: Int!) { ticks(count: $count) { number book { title } } }"
BOOK = {"title": "The Left Hand of Darkness"}


def tick(number: int) -> dict[str, Any]:
    return {"data": {"ticks": {"number": number, "book": BOOK}}, "extensions": {"concord": {"cursor": str(number)}}}


def events(text: str) -> list[dict[str, str]]:
    """Read an event stream as the HTML standard says, comments left out."""
    parsed = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":"))
        if fields:
            parsed.append(fields)
    return parsed


def expected(*numbers: int) -> list[dict[str, str]]:
    answers = [
        {"id": str(each), "event": "next", "data": json.dumps(tick(each), separators=(",", ":"))} for each in numbers
    ]
    return [*answers, {"event": "complete", "data": ""}]


async def ask(http: httpx2.AsyncClient, door: Any, accept: str, query: str, **more: Any) -> httpx2.Response:
    return await http.post(
        door.graphql,
        json={"query": query, **more.pop("body", {})},
        headers={"accept": accept, "x-correlation-id": "test-1", **more},
    )


async def test_each_event_carries_the_cursor_to_resume_from(http: httpx2.AsyncClient, door: Any) -> None:
    first = await ask(http, door, "text/event-stream", TICKS, body={"variables": {"count": 3}})
    assert (first.status_code, first.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert events(first.text) == expected(0, 1, 2)
    resumed = await ask(
        http, door, "text/event-stream", TICKS, body={"variables": {"count": 2}}, **{"last-event-id": "2"}
    )
    assert events(resumed.text) == expected(3, 4)
    by_extension = {"variables": {"count": 1}, "extensions": {"concord": {"cursor": "6"}}}
    again = await ask(http, door, "text/event-stream", TICKS, body=by_extension)
    assert events(again.text) == expected(7)


async def test_a_browser_opens_a_stream_by_get(http: httpx2.AsyncClient, door: Any) -> None:
    response = await http.get(
        door.graphql,
        params={"query": TICKS, "variables": '{"count":1}'},
        headers={"accept": "text/event-stream", "sec-fetch-site": "same-origin"},
    )
    assert events(response.text) == expected(0)


async def test_a_query_is_a_stream_of_one_where_only_streams_are_accepted(http: httpx2.AsyncClient, door: Any) -> None:
    response = await ask(http, door, "text/event-stream", "{ book(id: 2) { title } }")
    assert events(response.text) == [
        {"event": "next", "data": '{"data":{"book":{"title":"Kindred"}}}'},
        {"event": "complete", "data": ""},
    ]


async def test_a_refused_document_is_told_in_the_stream(http: httpx2.AsyncClient, door: Any) -> None:
    response = await ask(http, door, "text/event-stream", "subscription { nope }")
    assert response.status_code == 200
    told, completed = events(response.text)
    assert json.loads(told["data"])["errors"][0]["extensions"] == {
        "code": "GRAPHQL_VALIDATION_FAILED",
        "class": "CLIENT",
        "system": "gateway",
        "retryable": False,
        "correlationId": "test-1",
    }
    assert completed == {"event": "complete", "data": ""}


async def test_a_subscription_needs_a_stream(http: httpx2.AsyncClient, door: Any) -> None:
    response = await ask(http, door, "application/json", TICKS, body={"variables": {"count": 1}})
    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_REQUEST")


async def test_a_cursor_that_cannot_be_one_is_refused(http: httpx2.AsyncClient, door: Any) -> None:
    body = {"variables": {"count": 1}, "extensions": {"concord": {"cursor": "x" * 300}}}
    response = await ask(http, door, "text/event-stream", TICKS, body=body)
    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (400, "EVENT_CURSOR_INVALID")


async def test_a_cursor_that_the_source_does_not_know_is_told_in_the_stream(
    http: httpx2.AsyncClient, door: Any
) -> None:
    response = await ask(
        http, door, "text/event-stream", TICKS, body={"variables": {"count": 1}}, **{"last-event-id": "x"}
    )
    told, completed = events(response.text)
    assert json.loads(told["data"])["errors"][0]["extensions"]["code"] == "EVENT_CURSOR_INVALID"
    assert completed["event"] == "complete"


async def test_apollo_reads_subscriptions_as_parts(http: httpx2.AsyncClient, door: Any) -> None:
    accept = 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0,application/graphql-response+json'
    response = await ask(http, door, accept, TICKS, body={"variables": {"count": 2}})
    assert response.headers["content-type"] == 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0'
    part = "\r\n--graphql\r\ncontent-type: application/json\r\n\r\n"
    payloads = [json.dumps({"payload": tick(each)}, separators=(",", ":")) for each in (0, 1)]
    assert response.text == part + part.join(["{}", *payloads]) + "\r\n--graphql--\r\n"
    query = await ask(http, door, accept, "{ book(id: 2) { title } }")
    assert query.headers["content-type"] == "application/graphql-response+json; charset=utf-8"
    assert query.json() == {"data": {"book": {"title": "Kindred"}}}


async def test_a_part_is_whole_when_it_is_sent(http: httpx2.AsyncClient, door: Any) -> None:
    """Apollo Client hands a part on when it sees the boundary after it: that must not wait for the next event."""
    query = "subscription { ticks(count: 1000, everyMs: 200) { number book { title } } }"
    headers = {"accept": "multipart/mixed;subscriptionSpec=1.0"}
    read = b""
    async with (
        asyncio.timeout(30),
        http.stream("POST", door.graphql, json={"query": query}, headers=headers) as response,
    ):
        async for chunk in response.aiter_bytes():
            read += chunk
            if b'"number":0' in read and read.endswith(b"\r\n--graphql"):
                break
    nothing, opening, event, *_ = read.split(b"\r\n--graphql")
    head = b"\r\ncontent-type: application/json\r\n\r\n"
    payload = json.dumps({"payload": tick(0)}, separators=(",", ":")).encode()
    assert (nothing, opening, event) == (b"", head + b"{}", head + payload)


async def test_silence_is_filled_with_heartbeats(http: httpx2.AsyncClient, start: Any) -> None:
    door = start("--heartbeat", "0.05")
    query = "subscription { ticks(count: 1, everyMs: 300) { number } }"
    stream = await ask(http, door, "text/event-stream", query)
    assert stream.text.startswith(":\n\n:\n\n:\n\n")
    assert len(events(stream.text)) == 2
    parts = await ask(http, door, "multipart/mixed;subscriptionSpec=1.0", query)
    assert parts.text.count("\r\n\r\n{}") >= 3


async def test_a_stream_ends_with_its_credentials(http: httpx2.AsyncClient, door: Any) -> None:
    query = "subscription { ticks(count: 1000, everyMs: 10000) { number } }"
    response = await ask(http, door, "text/event-stream", query, authorization=f"Bearer {time.time() + 0.3:.3f}")
    told, completed = events(response.text)
    assert json.loads(told["data"])["errors"][0]["extensions"]["code"] == "TOKEN_EXPIRED"
    assert completed["event"] == "complete"


async def open_streams(http: httpx2.AsyncClient, door: Any) -> int:
    response = await ask(http, door, "application/json", "{ open }")
    count: int = response.json()["data"]["open"]
    return count


async def wait_until_open(http: httpx2.AsyncClient, door: Any, count: int) -> None:
    async with asyncio.timeout(30):
        while await open_streams(http, door) != count:  # noqa: ASYNC110 - counted in another process
            await asyncio.sleep(0.02)


async def test_a_reader_that_leaves_closes_its_source(http: httpx2.AsyncClient, door: Any) -> None:
    query = "subscription { ticks(count: 100000, everyMs: 5) { number } }"
    async with http.stream(
        "POST", door.graphql, json={"query": query}, headers={"accept": "text/event-stream"}
    ) as response:
        chunks = response.aiter_bytes()
        await anext(chunks)
        await wait_until_open(http, door, 1)
    await wait_until_open(http, door, 0)


async def test_a_reader_that_stops_reading_is_dropped_and_costs_no_memory(http: httpx2.AsyncClient, door: Any) -> None:
    before = door.memory_bytes()
    body = json.dumps({"query": "subscription { ticks(count: 100000, size: 50000) { number padding } }"}).encode()
    with socket.create_connection(("127.0.0.1", door.port)) as reader:
        reader.sendall(
            b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\naccept: text/event-stream\r\n"
            b"content-length: %d\r\n\r\n%b" % (len(body), body)
        )
        await wait_until_open(http, door, 1)
        await wait_until_open(http, door, 0)
    assert door.memory_bytes() - before < 50 << 20


async def test_a_process_that_stops_sends_streams_elsewhere(start: Any) -> None:
    door = start()
    query = {"query": "subscription { ticks(count: 1000, everyMs: 10000) { number } }"}

    async def read(http: httpx2.AsyncClient, accept: str) -> str:
        response = await http.post(door.graphql, json=query, headers={"accept": accept})
        return response.text

    async with httpx2.AsyncClient(trust_env=False, timeout=30) as http:
        streams = [
            asyncio.create_task(read(http, accept))
            for accept in ("text/event-stream", "multipart/mixed;subscriptionSpec=1.0")
        ]
        in_flight = asyncio.create_task(http.post(door.graphql, json={"query": "{ slow(seconds: 0.5) }"}))
        await wait_until_open(http, door, 2)
        door.process.terminate()
        sse, multipart = await asyncio.gather(*streams)
        assert sse.endswith("retry: 1000\n\n")
        assert "complete" not in sse
        assert '"code":"SHUTTING_DOWN"' in multipart
        assert multipart.endswith("\r\n--graphql--\r\n")
        assert (await in_flight).json() == {"data": {"slow": "at last"}}
    assert door.process.wait(30) == 0


async def test_many_operations_share_one_connection(http: httpx2.AsyncClient, door: Any) -> None:
    reserved = await http.put(door.graphql)
    assert reserved.status_code == 201
    token = {"x-graphql-event-stream-token": reserved.text}

    async def start(query: str, identity: Any) -> httpx2.Response:
        body = {"query": query, "extensions": {"operationId": identity}}
        return await http.post(door.graphql, json=body, headers=token)

    async with http.stream("GET", door.graphql, headers={"accept": "text/event-stream", **token}) as response:
        assert (response.status_code, response.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        chunks = response.aiter_text()
        await anext(chunks)
        again = await http.get(door.graphql, headers={"accept": "text/event-stream", **token})
        assert (again.status_code, again.json()["errors"][0]["extensions"]["code"]) == (409, "CONFLICT")
        assert (await start("{ book(id: 2) { title } }", "q")).status_code == 202
        assert [json.loads(each["data"]) for each in events(await anext(chunks) + await anext(chunks))] == [
            {"id": "q", "payload": {"data": {"book": {"title": "Kindred"}}}},
            {"id": "q"},
        ]
        refused = await start("{ nope }", "q")
        assert (refused.status_code, refused.json()["errors"][0]["extensions"]["code"]) == (
            400,
            "GRAPHQL_VALIDATION_FAILED",
        )
        assert (await start("{ open }", 1)).json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
        long = "subscription { ticks(count: 1000, everyMs: 60000) { number } }"
        assert (await start(long, "s")).status_code == 202
        assert (await start(long, "s")).json()["errors"][0]["extensions"]["code"] == "CONFLICT"
        await wait_until_open(http, door, 1)
        stopped = await http.delete(door.graphql, params={"operationId": "s"}, headers=token)
        assert stopped.status_code == 200
        await wait_until_open(http, door, 0)
        assert (await start(long, "s")).status_code == 202
        await wait_until_open(http, door, 1)
    await wait_until_open(http, door, 0)
    assert (await start("{ open }", "q")).status_code == 404


async def test_an_operation_whose_stream_nobody_opens_is_not_called_accepted(
    http: httpx2.AsyncClient, start: Any
) -> None:
    door = start("--unopened", "1")

    async def begin(token: str, query: str) -> httpx2.Response:
        body = {"query": query, "extensions": {"operationId": "a"}}
        return await http.post(door.graphql, json=body, headers={"x-graphql-event-stream-token": token})

    unopened = [(await http.put(door.graphql)).text for _ in range(3)]
    written, read, subscribed = await asyncio.gather(
        begin(unopened[0], 'mutation { addBook(title: "Ubik") { title } }'),
        begin(unopened[1], "{ book(id: 2) { title } }"),
        begin(unopened[2], "subscription { ticks(count: 1) { number } }"),
    )
    assert (written.status_code, written.json()) == (200, {"data": {"addBook": {"title": "Ubik"}}})
    assert (read.status_code, read.json()) == (200, {"data": {"book": {"title": "Kindred"}}})
    assert (subscribed.status_code, subscribed.json()["errors"][0]["extensions"]["code"]) == (404, "NOT_FOUND")
    assert (await begin(unopened[0], "{ open }")).status_code == 404
