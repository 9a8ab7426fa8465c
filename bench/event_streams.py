"""Ten thousand readers of server-sent events on raw sockets, and a publisher: what `bench.events` loads a gateway with."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

_EVENT = re.compile(rb'"id":"bench:(\d+)"')
_CURSOR = re.compile(rb"^id: (\S+)", re.MULTILINE)
_OPENING_AT_ONCE = 200


class Reader(asyncio.Protocol):
    """One subscription: sends its request, notes when each event arrives."""

    def __init__(self, request: bytes, counts: Counts) -> None:
        self._request = request
        self._counts = counts
        self._is_open = False
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.events = 0
        self.cursor: str | None = None
        """Of the last event that was read, for a gateway that gives cursors."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self._is_open and b"\r\n\r\n" in data:
            self._is_open = True
            if not self.opened.done():
                if data.startswith(b"HTTP/1.1 200"):
                    self.opened.set_result(None)
                else:
                    self.opened.set_exception(ConnectionError(data[:300].decode(errors="replace")))
        found = _EVENT.findall(data)
        if found:
            now = time.perf_counter()
            self.events += len(found)
            self._counts.arrived += len(found)
            for number in found:
                self._counts.latencies.append(now - self._counts.published.get(int(number), now))
            if cursors := _CURSOR.findall(data):
                self.cursor = cursors[-1].decode()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(ConnectionError(f"closed before it answered: {exc}"))


@dataclass
class Counts:
    """What all readers together have seen."""

    arrived: int = 0
    latencies: list[float] = field(default_factory=list)
    published: dict[int, float] = field(default_factory=dict)
    """Event → when it was about to be sent."""


async def open_readers(
    url: str, documents: list[dict[str, Any]], cursors: list[str | None], counts: Counts
) -> list[Reader]:
    """Open one stream for each document; returns once all have answered."""
    parts = urlsplit(url)
    assert parts.hostname
    loop = asyncio.get_running_loop()
    turn = asyncio.Semaphore(_OPENING_AT_ONCE)

    async def open_one(document: dict[str, Any], cursor: str | None) -> Reader:
        body = json.dumps(document).encode()
        resume = f"last-event-id: {cursor}\r\n" if cursor else ""
        head = (
            f"POST {parts.path} HTTP/1.1\r\nhost: {parts.netloc}\r\ncontent-type: application/json\r\n"
            f"accept: text/event-stream\r\n{resume}content-length: {len(body)}\r\n\r\n"
        )
        async with turn:
            for attempt in range(5):
                try:
                    _, reader = await loop.create_connection(
                        lambda: Reader(head.encode() + body, counts), parts.hostname, parts.port
                    )
                    await asyncio.wait_for(reader.opened, 60)
                    return reader
                except (ConnectionError, TimeoutError):
                    if attempt == 4:
                        raise
                    await asyncio.sleep(0.2 * (attempt + 1))
        raise AssertionError

    return list(await asyncio.gather(*map(open_one, documents, cursors)))


def event(number: int, contract: str) -> dict[str, Any]:
    """An event about one contract."""
    return {
        "specversion": "1.0",
        "id": f"bench:{number}",
        "source": "concord/billing",
        "type": "concord.contract.paused.v1",
        "subject": "Q29udHJhY3Q6" + contract.replace("-", "_"),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "datacontenttype": "application/json",
        "data": {"keys": {"contract": contract}, "changes": [{"field": "status", "from": "ACTIVE", "to": "PAUSED"}]},
    }


@dataclass
class Publisher:
    """Posts signed batches on one connection."""

    url: str
    secret: str
    counts: Counts
    number: int = 0

    async def publish(self, contracts: list[str], *, per_second: float, batch: int = 10) -> float:
        """Publish one event about each contract, at a pace; returns the seconds it took."""
        parts = urlsplit(self.url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        began = time.perf_counter()
        for start in range(0, len(contracts), batch):
            pause_s = began + start / per_second - time.perf_counter()
            if pause_s > 0:
                await asyncio.sleep(pause_s)
            events = []
            for contract in contracts[start : start + batch]:
                self.number += 1
                events.append(event(self.number, contract))
                self.counts.published[self.number] = time.perf_counter()
            body = json.dumps(events).encode()
            moment = int(time.time())
            digest = hmac.new(self.secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
            head = (
                f"POST {parts.path} HTTP/1.1\r\nhost: {parts.netloc}\r\n"
                f"content-type: application/cloudevents-batch+json\r\nx-concord-signature: t={moment},v1={digest}\r\n"
                f"content-length: {len(body)}\r\n\r\n"
            )
            writer.write(head.encode() + body)
            status = await reader.readuntil(b"\r\n\r\n")
            length = int(re.search(rb"content-length: (\d+)", status.lower())[1])  # type: ignore[index]
            answer = await reader.readexactly(length)
            if b" 200 " not in status.split(b"\r\n")[0] or json.loads(answer)["rejected"]:
                raise ConnectionError(answer[:300].decode())
        writer.close()
        return time.perf_counter() - began


async def arrived(counts: Counts, count: int, within_s: float) -> bool:
    """Wait until so many events have arrived in all; False if they did not in time."""
    deadline = time.perf_counter() + within_s
    while counts.arrived < count and time.perf_counter() < deadline:  # noqa: ASYNC110 - the readers have no event for it
        await asyncio.sleep(0.02)
    return counts.arrived >= count
