"""A gateway's memory stays within its bounds when many clients at once ask for large answers and hardly read them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import orjson
import pytest
from metric_samples import samples_of
from scripted_subgraph import reply

MB = 1 << 20
CLIENTS = 80
ANSWER_BYTES = 12 * MB
"""More than the system's buffers take of it."""
READING, UNSENT = 16 * MB, 60 * MB
FITTING = UNSENT // (ANSWER_BYTES + MB)
KEY = "k" * 32
SDL = {
    "people": 'type Query { text(n: Int!): String user: User } type User @key(fields: "id") { id: ID! }',
    "scores": 'type Query { other: Int } type User @key(fields: "id") { id: ID! score: Int }',
}
TEXT = b"x" * ANSWER_BYTES
QUERIES = {
    "one fetch for all": "query($n: Int!) { text(n: $n) }",
    "each its own fetch": "query($n: Int!) { text(n: $n) }",
    "each its own, and then another": "query($n: Int!) { text(n: $n) user { id score } }",
}


def resident_bytes(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) << 10


def worker_of(pid: int) -> int:
    """The process that serves, where the one that was started watches over it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return worker_of(int(children[0])) if children else pid


async def asked(url: str, query: str, n: int) -> tuple[bytes, asyncio.StreamWriter]:
    """Ask, and read the head of the answer and the beginning of its body, no more."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1 << 10)
    body = json.dumps({"query": query, "variables": {"n": n}}).encode()
    head = f"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    answer = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", answer)
    assert length is not None
    return answer + await reader.readexactly(min(600, int(length[1]))), writer


async def metrics_of(url: str) -> dict[str, float]:
    async with httpx2.AsyncClient(trust_env=False, verify=False, timeout=60) as client:
        page = await client.get(f"{url}/metrics", headers={"authorization": f"Bearer {KEY}"})
    return {name[0]: value for name, value in samples_of(page.text).items()}


async def held(url: str, is_so: Callable[[float], bool]) -> None:
    """Wait until so much is held of large answers."""
    async with asyncio.timeout(120):
        while not is_so((await metrics_of(url))["concord_unsent_bytes"]):  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.05)


def user_and(text: bytes) -> bytes:
    return b'{"data":{"text":"%b","user":{"__typename":"User","id":"1"}}}' % text


@pytest.mark.parametrize("case", QUERIES)
async def test_many_large_answers_that_nobody_reads_take_what_the_settings_say(graph, case):
    all_asked, scored = asyncio.Event(), asyncio.Event()
    is_shared, query = case == "one fetch for all", QUERIES[case]

    async def tell(writer: asyncio.StreamWriter, _: object) -> None:
        await all_asked.wait()
        writer.write(reply(user_and(TEXT)))
        await writer.drain()

    async def score(writer: asyncio.StreamWriter, _: object) -> None:
        await scored.wait()
        writer.write(reply(b'{"data":{"_entities":[{"score":1}]}}'))
        await writer.drain()

    graph.compose(SDL)
    graph.settings = f"[limits]\nreading_bytes = {READING}\n"
    environment = {"CONCORD_SERVER__MAX_UNSENT_BYTES": str(UNSENT), "CONCORD_METRICS__KEY": KEY}
    people, scores = graph.subgraphs["people"], graph.subgraphs["scores"]
    with graph.serve(**environment) as served:
        pid = worker_of(served.process.pid)
        people.say = lambda _: orjson.loads(user_and(b"x"))
        scores.say = lambda _: {"data": {"_entities": [{"score": 1}]}}
        assert (await served.ask(query, {"n": 0}))["data"]["text"] == "x"
        before = most = resident_bytes(pid)
        people.behave, scores.behave = tell, score

        async def watch() -> None:
            nonlocal most
            while True:
                most = max(most, resident_bytes(pid))
                await asyncio.sleep(0.005)

        watching = asyncio.create_task(watch())
        asking = [asyncio.create_task(asked(served.url, query, 1 if is_shared else n)) for n in range(CLIENTS)]
        await people.got(2 if is_shared else 65)
        await asyncio.sleep(0.5)
        all_asked.set()
        async with asyncio.timeout(120):
            for count, ended in enumerate(asyncio.as_completed(asking), start=1):
                await ended
                if count == CLIENTS - FITTING - 1:  # all but those that keep what they have read
                    scored.set()
        begun = [each.result() for each in asking]
        watching.cancel()
        answered = [start for start, _ in begun if b'{"data":{"text":"xx' in start]
        refused = [start for start, _ in begun if b'"code":"OVERLOADED"' in start and b'"system":"gateway"' in start]
        # Those are served for whom there is room, and the others told to come again: nobody is left without a word.
        assert len(answered) + len(refused) == CLIENTS
        assert len(answered) >= FITTING - 1
        # The one whose answer is made has it four times: read, decoded, encoded, and as it is written.
        assert most - before <= READING + ANSWER_BYTES + UNSENT + 4 * ANSWER_BYTES + 32 * MB, (most - before) >> 20
        metrics = await metrics_of(served.url)
        assert metrics["concord_reading_bytes"] == metrics["concord_reading_waiting"] == 0
        assert metrics["concord_reading_most_bytes"] == READING
        assert (metrics["concord_reading_pauses_total"] > 0) is not is_shared
        assert 0 < metrics["concord_unsent_bytes"] <= metrics["concord_unsent_most_bytes"] == UNSENT
        for _, writer in begun:
            writer.transport.abort()
        await held(served.url, lambda size: not size)


async def test_what_a_request_keeps_is_given_back_when_its_client_leaves(graph):
    """Also where the collector of garbage would have to find out."""
    graph.compose(SDL)
    people, scores = graph.subgraphs["people"], graph.subgraphs["scores"]
    query = QUERIES["each its own, and then another"]

    async def hang(_writer: asyncio.StreamWriter, _: object) -> None:
        await asyncio.sleep(600)

    patience = {"CONCORD_REQUEST__DEADLINE_S": "600", "CONCORD_SUBGRAPHS__SCORES__TIMEOUT_S": "600"}
    with graph.serve(CONCORD_METRICS__KEY=KEY, **patience) as served:
        people.say = lambda _: orjson.loads(user_and(TEXT[:MB]))
        scores.say = lambda _: {"data": {"_entities": [{"score": 1}]}}
        assert (await served.ask(query, {"n": 0}))["data"]["user"]["score"] == 1
        scores.behave = hang
        for way in ("", "cache-control: no-store\r\naccept: application/json\r\nx-concord-provenance: plan\r\n"):
            leaving = []
            for n in range(3):
                parts = urlsplit(served.url)
                _, writer = await asyncio.open_connection(parts.hostname, parts.port)
                body = json.dumps({"query": query, "variables": {"n": n}}).encode()
                head = f"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{way}content-length: {len(body)}"
                writer.write(head.encode() + b"\r\n\r\n" + body)
                leaving.append(writer)
            await held(served.url, lambda size: size >= 3 * MB)
            for writer in leaving:
                writer.transport.abort()
            await held(served.url, lambda size: not size)


async def test_an_answer_that_fits_is_given_in_whichever_way_it_is_made(graph):
    """What a request keeps and the answer made of it are not counted both."""
    graph.compose(SDL)
    people, scores = graph.subgraphs["people"], graph.subgraphs["scores"]
    people.say = lambda _: orjson.loads(user_and(TEXT[: 3 * MB]))
    scores.say = lambda _: {"data": {"_entities": [{"score": 1}]}}
    with graph.serve(CONCORD_SERVER__MAX_UNSENT_BYTES=str(5 * MB)) as served:
        for query in QUERIES.values():
            for headers in ({}, {}, {}, {}, {"x_concord_provenance": "fields"}):
                answer = await served.ask(query, {"n": 1}, **headers)
                assert "errors" not in answer
                assert len(answer["data"]["text"]) == 3 * MB
