"""A gateway's memory stays within its bounds when many clients at once ask for large answers and hardly read them."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from metric_samples import samples_of
from scripted_subgraph import reply

MB = 1 << 20
CLIENTS = 80
ANSWER_BYTES = 12 * MB
"""More than the system's buffers take of it."""
READING, UNSENT = 16 * MB, 40 * MB
KEY = "k" * 32
SDL = {"people": "type Query { text(n: Int!): String }", "scores": "type Query { other: Int }"}
ANSWER = b'{"data":{"text":"%b"}}' % (b"x" * ANSWER_BYTES)


def resident_bytes(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) << 10


def worker_of(pid: int) -> int:
    """The process that serves, where the one that was started watches over it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return worker_of(int(children[0])) if children else pid


async def asked(url: str, n: int) -> tuple[bytes, asyncio.StreamWriter]:
    """Ask, and read the head of the answer and the beginning of its body, no more."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1 << 10)
    body = json.dumps({"query": "query($n: Int!) { text(n: $n) }", "variables": {"n": n}}).encode()
    head = f"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    return await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(20), writer


@pytest.mark.parametrize("is_shared", [True, False], ids=["one fetch for all", "each its own fetch"])
async def test_many_large_answers_that_nobody_reads_take_what_the_settings_say(graph, is_shared):
    all_asked = asyncio.Event()

    async def behave(writer: asyncio.StreamWriter, _: object) -> None:
        await all_asked.wait()
        writer.write(reply(ANSWER))
        await writer.drain()

    graph.compose(SDL)
    graph.settings = f"[limits]\nreading_bytes = {READING}\n"
    environment = {"CONCORD_SERVER__MAX_UNSENT_BYTES": str(UNSENT), "CONCORD_METRICS__KEY": KEY}
    with graph.serve(**environment) as served:
        pid = worker_of(served.process.pid)
        graph.subgraphs["people"].say = lambda _: {"data": {"text": "x"}}
        assert await served.ask("query($n: Int!) { text(n: $n) }", {"n": 0}) == {"data": {"text": "x"}}
        before = most = resident_bytes(pid)
        graph.subgraphs["people"].behave = behave

        async def watch() -> None:
            nonlocal most
            while True:
                most = max(most, resident_bytes(pid))
                await asyncio.sleep(0.005)

        watching = asyncio.create_task(watch())
        asking = [asyncio.create_task(asked(served.url, 1 if is_shared else number)) for number in range(CLIENTS)]
        await graph.subgraphs["people"].got(2 if is_shared else 65)
        await asyncio.sleep(0.5)
        all_asked.set()
        async with asyncio.timeout(120):
            begun = await asyncio.gather(*asking)
        watching.cancel()
        answered = [
            start for start, _ in begun if start.startswith(b"HTTP/1.1 200 ") and b'{"data":{"text":"xx' in start
        ]
        refused = [start for start, _ in begun if start.startswith(b"HTTP/1.1 503 ")]
        # Those are served for whom there is room, and the others told to come again: nobody is left without a word.
        assert len(answered) + len(refused) == CLIENTS
        assert len(answered) >= UNSENT // (ANSWER_BYTES + MB)
        # The one whose answer is made has it four times: read, decoded, encoded, and as it is written.
        assert most - before <= READING + ANSWER_BYTES + UNSENT + 4 * ANSWER_BYTES + 32 * MB, (most - before) >> 20
        async with httpx2.AsyncClient(trust_env=False, timeout=30) as client:
            page = await client.get(f"{served.url}/metrics", headers={"authorization": f"Bearer {KEY}"})
            metrics = {name[0]: value for name, value in samples_of(page.text).items()}
        assert metrics["concord_reading_bytes"] == metrics["concord_reading_waiting"] == 0
        assert metrics["concord_reading_most_bytes"] == READING
        assert (metrics["concord_reading_pauses_total"] > 0) is not is_shared
        assert 0 < metrics["concord_unsent_bytes"] <= metrics["concord_unsent_most_bytes"] == UNSENT
        for _, writer in begun:
            writer.transport.abort()
