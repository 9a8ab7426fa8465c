"""Faults on request: a middleware that makes a healthy sandbox slow, limited, wrong or down, and counts its requests."""

from __future__ import annotations

import asyncio
import random
import re
import socket
import struct
import time
from collections import Counter, deque
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTROL_PREFIX = "/__sandbox"
_ID_IN_PATH = re.compile(r"/(?:\d+|[a-z]{2,5}_[A-Za-z0-9]{6,}|[0-9a-f-]{32,36})(?=/|$)")


class FaultMode(StrEnum):
    """How answers are spoilt."""

    NONE = "none"
    DOWN = "down"
    """503 at once."""
    BLACKHOLE = "blackhole"
    """Never an answer."""
    RESET = "reset"
    """The connection is reset once the request was read."""
    GARBAGE = "garbage"
    """200, called JSON, but no JSON."""
    HTML = "html"
    """200 with a web page."""
    TRUNCATE = "truncate"
    """Half of the promised body."""
    SLOW_BODY = "slow_body"
    """The right body, 20 bytes at a time."""


class Faults(BaseModel):
    """What is wrong with the sandbox. JSON names are camelCase: `{"latencyMs": 200, "mode": "none"}`."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)

    latency_ms: int = Field(default=0, ge=0, le=600_000)
    error_rate: float = Field(default=0.0, ge=0, le=1)
    error_status: int = Field(default=500, ge=400, le=599)
    rate_limit_per_s: float | None = Field(default=None, gt=0)
    mode: FaultMode = FaultMode.NONE
    rewrite: dict[str, str] = Field(default_factory=dict)
    """Replaced in the bodies of answers, so that they hold what nobody expects: `{'"posted"': '"disputed"'}`."""
    paths: str | None = None
    """A regular expression of the paths concerned; None: all."""
    bodies: str | None = None
    """A regular expression of the requests' bodies concerned, for a vendor whose calls share one path; None: all."""

    @field_validator("paths", "bodies")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(str(error)) from error
        return value


def _too_many_requests() -> Response:
    return JSONResponse({"message": "Too many requests."}, status_code=429, headers={"retry-after": "1"})


class FaultMiddleware:
    """Wraps the vendor's application. Requests below `/__sandbox` pass untouched and uncounted."""

    def __init__(self, app: ASGIApp, *, too_many_requests: Callable[[], Response] = _too_many_requests) -> None:
        """`too_many_requests` is the vendor's own way to refuse."""
        self._app = app
        self._too_many_requests = too_many_requests
        self._recent: deque[float] = deque()
        self.faults = Faults()
        self.bytes_sent = 0
        """Of the bodies of healthy answers."""
        self.requests: Counter[str] = Counter()
        """Requests by route, ids in paths as `{id}`: `{"POST /crm/v3/objects/companies/batch/read": 3}`."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(CONTROL_PREFIX):
            await self._app(scope, receive, send)
            return
        if scope["path"] != "/health":
            self.requests[f"{scope['method']} {_ID_IN_PATH.sub('/{id}', scope['path'])}"] += 1
        faults = self.faults
        if faults.paths is not None and not re.search(faults.paths, scope["path"]):
            await self._app(scope, receive, send)
            return
        if faults.bodies is not None:
            body, receive = await _read(receive)
            if not re.search(faults.bodies.encode(), body):
                await self._app(scope, receive, send)
                return
        if faults.latency_ms:
            await asyncio.sleep(faults.latency_ms / 1000)
        if faults.rate_limit_per_s is not None and self._is_over(faults.rate_limit_per_s):
            await self._too_many_requests()(scope, receive, send)
        elif faults.error_rate and random.random() < faults.error_rate:  # noqa: S311 - no secret
            await JSONResponse({"message": "A fault on request."}, faults.error_status)(scope, receive, send)
        else:
            await self._spoil(faults.mode, scope, receive, _rewriting(send, faults.rewrite) if faults.rewrite else send)

    def _is_over(self, per_s: float) -> bool:
        """Whether this request is one too many within the last second (or, below one per second, within that interval)."""
        at = time.monotonic()
        window_s = max(1.0, 1 / per_s)
        while self._recent and self._recent[0] <= at - window_s:
            self._recent.popleft()
        if len(self._recent) >= max(1, per_s * window_s):
            return True
        self._recent.append(at)
        return False

    async def _spoil(self, mode: FaultMode, scope: Scope, receive: Receive, send: Send) -> None:
        match mode:
            case FaultMode.NONE:

                async def count(message: Message) -> None:
                    self.bytes_sent += len(message.get("body", b""))
                    await send(message)

                await self._app(scope, receive, count)
            case FaultMode.DOWN:
                await Response("Service Unavailable", 503, media_type="text/plain")(scope, receive, send)
            case FaultMode.BLACKHOLE:
                while (await receive())["type"] != "http.disconnect":
                    pass
            case FaultMode.RESET:
                while (await receive()).get("more_body"):
                    pass
                _drop(send, reset=True)
            case FaultMode.GARBAGE:
                await Response(b'{"results": [\x00\xff', 200, media_type="application/json")(scope, receive, send)
            case FaultMode.HTML:
                await HTMLResponse("<html><body><h1>It works!</h1></body></html>")(scope, receive, send)
            case FaultMode.TRUNCATE | FaultMode.SLOW_BODY:
                start, body = await self._answer(scope, receive)
                await send(start)
                if mode is FaultMode.TRUNCATE:
                    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
                    _drop(send)
                    return
                for at in range(0, len(body), 20):
                    await send({"type": "http.response.body", "body": body[at : at + 20], "more_body": True})
                    await asyncio.sleep(0.2)
                await send({"type": "http.response.body", "body": b""})

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
        """Return the healthy answer whole: its start message and its body."""
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self._app(scope, receive, keep)
        return messages[0], b"".join(message.get("body", b"") for message in messages[1:])


async def _read(receive: Receive) -> tuple[bytes, Receive]:
    """Return a request's body, and a `receive` that gives it again."""
    parts: list[Message] = []
    while True:
        message = await receive()
        parts.append(message)
        if not message.get("more_body"):
            break

    async def again() -> Message:
        return parts.pop(0) if parts else await receive()

    return b"".join(part.get("body", b"") for part in parts), again


def _rewriting(send: Send, words: dict[str, str]) -> Send:
    """Return a `send` that replaces words in a body, which it therefore sends at once."""
    start: list[Message] = []
    body: list[bytes] = []

    async def rewrite(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.append(message)
            return
        body.append(message.get("body", b""))
        if message.get("more_body"):
            return
        text = b"".join(body)
        for old, new in words.items():
            text = text.replace(old.encode(), new.encode())
        headers = [(name, value) for name, value in start[0].get("headers", ()) if name.lower() != b"content-length"]
        await send({**start[0], "headers": [*headers, (b"content-length", str(len(text)).encode())]})
        await send({"type": "http.response.body", "body": text})

    return rewrite


def _drop(send: Any, *, reset: bool = False) -> None:
    """Drop the connection under the request: `send` is a method of uvicorn's request cycle, which has the transport."""
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        raise RuntimeError("A connection can be dropped only behind uvicorn, with no middleware in between.")
    if reset:
        # A linger time of zero makes the kernel send RST instead of FIN.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
