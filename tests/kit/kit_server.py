"""A vendor that answers what a test has scripted, on a real socket."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

Answer = Callable[[Scope, Receive, Send], "object"]


@dataclass(slots=True)
class Asked:
    """One request that arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class ScriptedVendor:
    """Answers with the next script entry: a Response, or a function of the ASGI triple."""

    script: deque[object] = field(default_factory=deque)
    asked: list[Asked] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.asked.append(Asked(scope["method"], scope["path"], headers, body))
        answer = self.script.popleft() if self.script else Response(b"{}", media_type="application/json")
        await answer(scope, receive, send)  # type: ignore[operator]


async def hang_up(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Drop the connection after the request has been read."""
    send.__self__.transport.abort()  # type: ignore[attr-defined]


async def cut_short(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Promise a hundred bytes, send three, drop the connection."""
    start: Message = {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-type", b"application/json"), (b"content-length", b"100")],
    }
    await send(start)
    await send({"type": "http.response.body", "body": b'{"a', "more_body": True})
    send.__self__.transport.abort()  # type: ignore[attr-defined]


async def silence(_scope: Scope, receive: Receive, _send: Send) -> None:
    """Never answer."""
    while (await receive())["type"] != "http.disconnect":
        pass
