"""Stands before a vendor and cuts the connection of each kind of write once: before the request, after it, or in the answer.

`PUT /__cut` with `{"mode": "before" | "after" | "middle" | "none"}` begins anew; `GET /__cut` tells what was cut. With
`"only": ".pay.execute"` such writes alone are cut, and from the first one on nothing at all gets through to the vendor; so
it is with the mode "last", which lets that write's answer pass.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys

import orjson

_READS = (
    "search",
    "batch/read",
    "associations",
    "login",
    "search_read",
    "search_count",
    ".read",
    ".pay.create",
    ".pay.delete",
    "oauth2",
    "composite",
)
_IDS = re.compile(r"/(?:\d+|[a-z]{2,5}_[A-Za-z0-9]+)(?=/|$)")


class Proxy:
    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self._mode = "none"
        self._only: str | None = None
        self._cut: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                body = await reader.readexactly(length_of(head))
                method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
                if target == "/__cut":
                    writer.write(self._control(method, body))
                    await writer.drain()
                    continue
                if self._only is not None and self._cut:
                    break
                kind = kind_of(method, target, body)
                cuts = (
                    self._mode != "none" and kind is not None and kind not in self._cut and (self._only or "") in kind
                )
                if cuts:
                    self._cut.append(str(kind))
                if cuts and self._mode == "before":
                    break
                answer = await self._ask(head, body)
                if cuts and self._mode == "after":
                    break
                writer.write(answer[: middle_of(answer)] if cuts and self._mode == "middle" else answer)
                await writer.drain()
                if cuts:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _ask(self, head: bytes, body: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(*self._upstream)
        try:
            writer.write(head + body)
            await writer.drain()
            answer = await reader.readuntil(b"\r\n\r\n")
            return answer + await reader.readexactly(length_of(answer))
        finally:
            writer.close()

    def _control(self, method: str, body: bytes) -> bytes:
        if method == "PUT":
            asked = orjson.loads(body)
            self._mode, self._only, self._cut = asked["mode"], asked.get("only"), []
        told = orjson.dumps(self._cut)
        return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(told), told)


def middle_of(answer: bytes) -> int:
    """Two bytes into the body; where there is none, within the head."""
    end = answer.index(b"\r\n\r\n")
    return end + 6 if len(answer) > end + 6 else end


def length_of(head: bytes) -> int:
    found = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    return int(found[1]) if found else 0


def kind_of(method: str, target: str, body: bytes) -> str | None:
    """What a write does, whatever it does it to; None for a read."""
    path = _IDS.sub("/*", target.partition("?")[0])
    if path.endswith("/rpc/"):
        path += orjson.loads(body).get("method", "")
    return None if method == "GET" or any(word in path for word in _READS) else f"{method} {path}"


async def main() -> None:
    host, _, port = os.environ["CUTTING_PROXY_UPSTREAM"].removeprefix("http://").partition(":")
    proxy = Proxy(host, int(port))
    # A vendor's answers may be large: whole books in one read.
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, limit=64 * 1024 * 1024)
    sys.stdout.write(f"ready http://127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
