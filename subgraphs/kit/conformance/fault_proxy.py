"""A proxy that breaks HTTP on request: stands between an adaptor and a vendor that nobody here can break otherwise.

async with fault_proxy("http://127.0.0.1:8420") as proxy:
    proxy.spoil(Fault.DROPPED_AFTER, times=1)
    …                                                  # the client speaks to proxy.url
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CONNECTION = re.compile(rb"\r\nconnection: *[^\r]*", re.IGNORECASE)
_HANDSHAKE = b"\x16"
"""The first byte of whoever speaks TLS."""
_NO_TLS = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_RATE_LIMITED = (
    b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Type: application/json\r\n"
    b"Content-Length: 2\r\nConnection: close\r\n\r\n{}"
)
_PAGE = b"<html><body><h1>Down for maintenance</h1></body></html>"
_HTML = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(_PAGE)
    + _PAGE
)


class Fault(StrEnum):
    """What happens to one request."""

    SLOW = "slow"
    """Forwarded at once, and answered after a second."""
    RATE_LIMITED = "rate_limited"
    """429 with Retry-After; the vendor never sees it."""
    DROPPED_BEFORE = "dropped_before"
    """The connection is closed and the vendor never sees the request."""
    DROPPED_AFTER = "dropped_after"
    """The vendor has answered, but the connection is closed without its answer."""
    TRUNCATED = "truncated"
    """The vendor has answered, and half of its body arrives."""
    HTML = "html"
    """200 with a web page; the vendor never sees the request."""


@dataclass(slots=True)
class FaultProxy:
    """One proxy in front of one address."""

    upstream: str
    port: int = 0
    forwarded: list[str] = field(default_factory=list)
    """Method and path of each request that reached the vendor."""
    received_bytes: int = 0
    """Of the vendor's answers, heads included."""
    _faults: deque[Fault] = field(default_factory=deque)

    @property
    def url(self) -> str:
        """Its address, with the path of the vendor's."""
        return f"http://127.0.0.1:{self.port}{urlsplit(self.upstream).path}"

    @property
    def tls_url(self) -> str:
        """An address at which no TLS handshake succeeds."""
        return self.url.replace("http:", "https:", 1)

    def spoil(self, fault: Fault, *, times: int = 1) -> None:
        """Break the next requests; forget what was to be broken before."""
        self._faults = deque([fault] * times)

    def heal(self) -> None:
        """Pass everything on from now."""
        self._faults.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and close the connection."""
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            first = await reader.readexactly(1)
            if first == _HANDSHAKE:
                writer.write(_NO_TLS)
                await writer.drain()
                writer.close()
                return
            head = first + await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            body = await reader.readexactly(int(length[1])) if length else b""
            fault = self._faults.popleft() if self._faults else None
            answer = await self._answer(fault, head, body)
            if fault is Fault.SLOW:
                await asyncio.sleep(1)
            writer.write(answer)
            await writer.drain()
        writer.close()

    async def _answer(self, fault: Fault | None, head: bytes, body: bytes) -> bytes:
        match fault:
            case Fault.RATE_LIMITED:
                return _RATE_LIMITED
            case Fault.DROPPED_BEFORE:
                return b""
            case Fault.HTML:
                return _HTML
            case Fault.DROPPED_AFTER:
                await self._forward(head, body)
                return b""
            case Fault.TRUNCATED:
                answer = await self._forward(head, body)
                start = answer.index(b"\r\n\r\n") + 4
                return answer[: start + (len(answer) - start) // 2] if len(answer) > start else b""
            case _:
                return await self._forward(head, body)

    async def _forward(self, head: bytes, body: bytes) -> bytes:
        self.forwarded.append(b" ".join(head.split(b" ", 2)[:2]).decode(errors="replace"))
        address = urlsplit(self.upstream)
        is_tls = address.scheme == "https"
        port = address.port or (443 if is_tls else 80)
        context = ssl.create_default_context() if is_tls else None
        reader, writer = await asyncio.open_connection(address.hostname, port, ssl=context)
        try:
            head = _CONNECTION.sub(b"", head)
            head = re.sub(rb"\r\nhost: *[^\r]*", b"\r\nHost: " + address.netloc.encode(), head, flags=re.IGNORECASE)
            writer.write(head[:-2] + b"Connection: close\r\n\r\n" + body)
            await writer.drain()
            answer = await reader.read()
            self.received_bytes += len(answer)
            return answer
        finally:
            writer.close()


@asynccontextmanager
async def fault_proxy(upstream: str) -> AsyncIterator[FaultProxy]:
    """Serve a proxy on a free port of loopback within the block."""
    proxy = FaultProxy(upstream)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    async with server:
        yield proxy
