"""Requests over kept connections, and clients that hardly read: the load of `bench.scale`."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


def request(port: int, query: str, n: int | None = None) -> bytes:
    """Return a whole HTTP request."""
    variables = {} if n is None else {"n": n}
    body = json.dumps({"query": query, "variables": variables}).encode()
    head = f"POST /graphql HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


@dataclass(slots=True)
class Client:
    """One kept connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, content: bytes) -> bytes:
        """Send a request and return the answer's body. Raises SystemExit where it is no answer of data."""
        self.writer.write(content)
        head = await self.reader.readuntil(b"\r\n\r\n")
        found = _LENGTH.search(head)
        if found is None or b" 200 " not in head[:20]:
            raise SystemExit(f"the gateway answers {head[:200]!r}")
        body = await self.reader.readexactly(int(found[1]))
        if not body.startswith(b'{"data":'):
            raise SystemExit(f"the gateway answers {body[:300]!r}")
        return body


async def connect(port: int, *, limit: int = 1 << 20) -> Client:
    """Open a connection."""
    return Client(*await asyncio.open_connection("127.0.0.1", port, limit=limit))


async def load(clients: list[Client], contents: list[bytes], count: int) -> int:
    """Send so many requests, these in turn, each connection one at a time; return how many bytes were answered."""
    numbers = iter(range(count))
    answered = 0

    async def work(client: Client) -> None:
        nonlocal answered
        for number in numbers:
            answered += len(await client.ask(contents[number % len(contents)]))

    await asyncio.gather(*map(work, clients))
    return answered


async def dawdle(port: int, content: bytes, bytes_per_s: int, seconds: float) -> int:
    """Ask, and read the answer as slowly as that; return the bytes read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 10)
    writer.write(content)
    read = 0
    try:
        async with asyncio.timeout(seconds):
            while chunk := await reader.read(bytes_per_s):
                read += len(chunk)
                await asyncio.sleep(1)
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.transport.abort()
    return read
