"""Clients that do not read what they asked for cost a bounded amount of memory, for a bounded time."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack

import httpx2
import pytest
from websockets.asyncio.client import ClientConnection, connect

TEXT = "x" * 900_000
QUERY = "query($t: String) {" + " ".join(f"a{number}: echo(text: $t)" for number in range(10)) + "}"
ANSWER_BYTES = 10 * len(TEXT)


async def asked_and_not_read(port: int) -> asyncio.StreamWriter:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1_024)
    body = json.dumps({"query": QUERY, "variables": {"t": TEXT}}).encode()
    head = f"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
    # The head of the answer is there: the rest waits.
    assert b" 200 " in await reader.readuntil(b"\r\n")
    return writer


async def test_large_answers_nobody_reads_are_bounded_and_given_up(start):
    server = start("--max-unsent", str(ANSWER_BYTES * 5 // 2), "--send-timeout", "2")
    body = {"query": QUERY, "variables": {"t": TEXT}}
    plain = {"accept-encoding": "identity"}
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        whole = await client.post(server.graphql, json=body, headers=plain)
        assert whole.json() == {"data": {f"a{number}": TEXT for number in range(10)}}
        slow = [await asked_and_not_read(server.port) for _ in range(2)]
        # There is room for two and a half: what would be the third is refused, and told when to come again.
        refused = await client.post(server.graphql, json=body, headers=plain)
        while refused.status_code == 200:  # a reader's buffers took most of it
            slow.append(await asked_and_not_read(server.port))
            refused = await client.post(server.graphql, json=body, headers=plain)
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "1"
        assert refused.json()["errors"][0]["extensions"]["code"] == "OVERLOADED"
        # Small answers go on; those who read nothing are dropped, and then there is room again.
        small = await client.post(server.graphql, json={"query": '{ echo(text: "a") }'}, headers=plain)
        assert small.json() == {"data": {"echo": "a"}}
        async with asyncio.timeout(40):
            while True:
                again = await client.post(server.graphql, json=body, headers=plain)
                if again.status_code == 200:
                    break
                await asyncio.sleep(0.1)
        assert again.content == whole.content
    for writer in slow:
        writer.transport.abort()


async def test_answers_over_streams_that_nobody_reads_are_bounded_as_well(start):
    server = start("--max-unsent", str(ANSWER_BYTES * 5 // 2), "--send-timeout", "20")
    body = {"query": QUERY, "variables": {"t": TEXT}}
    events = {"accept": "text/event-stream"}
    slow = []
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        while True:
            answer = await client.send(
                client.build_request("POST", server.graphql, json=body, headers=events), stream=True
            )
            if answer.status_code != 200:
                break
            slow.append(answer)
            assert len(slow) < 10
        assert json.loads(await answer.aread())["errors"][0]["extensions"]["code"] == "OVERLOADED"
        assert answer.status_code == 503
        for each in slow:
            await each.aclose()


async def test_answers_over_websockets_that_nobody_reads_are_bounded_as_well(start):
    server = start("--max-unsent", str(ANSWER_BYTES * 5 // 2), "--send-timeout", "20")
    asking = {"type": "subscribe", "payload": {"query": QUERY, "variables": {"t": TEXT}}}
    plain = {"subprotocols": ["graphql-transport-ws"], "proxy": None, "ping_interval": None, "max_size": None}
    async with AsyncExitStack() as open_:

        async def connected() -> ClientConnection:
            connection = await open_.enter_async_context(connect(server.websocket, max_queue=1, **plain))
            await connection.send('{"type":"connection_init"}')
            assert json.loads(await connection.recv())["type"] == "connection_ack"
            return connection

        unread = [await connected() for _ in range(2)]
        for slow in unread:  # nobody reads these, and the system's buffers don't take all of them
            slow.transport.pause_reading()
            for number in range(3):
                await slow.send(json.dumps({**asking, "id": str(number)}))
        reader = await connected()
        async with asyncio.timeout(60):
            while True:
                await reader.send(json.dumps({**asking, "id": "1"}))
                answer = json.loads(await reader.recv())
                if answer["type"] == "error":
                    break
                assert answer["type"] == "next"
                assert json.loads(await reader.recv()) == {"type": "complete", "id": "1"}
        assert answer["payload"][0]["extensions"]["code"] == "OVERLOADED"
        # Small answers go on.
        small = {"type": "subscribe", "id": "2", "payload": {"query": '{ echo(text: "a") }'}}
        await reader.send(json.dumps(small))
        assert json.loads(await reader.recv())["payload"] == {"data": {"echo": "a"}}
        for slow in unread:
            slow.transport.abort()


async def test_answers_that_nobody_reads_do_not_pile_up_while_more_is_asked(start):
    server = start("--send-timeout", "5")
    text = "x" * 4_000
    query = "query($t: String) {" + " ".join(f"a{number}: echo(text: $t)" for number in range(25)) + "}"
    body = json.dumps({"query": query, "variables": {"t": text}}).encode()
    head = f"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    request = head.encode() + body
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:

        async def small() -> None:
            answer = await client.post(server.graphql, json={"query": '{ echo(text: "a") }'})
            assert answer.json() == {"data": {"echo": "a"}}

        await client.post(server.graphql, content=body, headers={"content-type": "application/json"})  # it is known now
        await small()
        before = server.memory_bytes()
        _, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1_024)
        with pytest.raises(ConnectionError):  # who reads nothing is given up, however much it goes on asking
            while True:
                writer.write(request)
                await writer.drain()
                await small()  # so that the answer is written before the next is asked for
                assert server.memory_bytes() - before < 64 << 20
        writer.transport.abort()
