"""An issuer at the edge of the test's world: real keys, a real HTTP server, and every way in which it can misbehave."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

ISSUER = "https://login.example/"
AUDIENCE = "concord"
MAKERS = {"RS": lambda: RSAKey.generate_key(2048), "ES": lambda: ECKey.generate_key("P-256")}


def encoded(value: Any) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


@dataclass
class KeyServer:
    """Serves a key set; `mode` says how."""

    keys: dict[str, Any] = field(default_factory=dict)
    """`kid` → private key."""
    url: str = ""
    requests: int = 0
    mode: str = "well"
    """well, down (503), rubbish, redirect, huge, or hang."""
    published: list[dict[str, Any]] | None = None
    """The key set's entries, where they are not simply the keys."""

    def add(self, kid: str, key: Any = None) -> Any:
        self.keys[kid] = key if key is not None else ECKey.generate_key("P-256")
        return self.keys[kid]

    def entries(self) -> list[dict[str, Any]]:
        if self.published is not None:
            return self.published
        return [{**key.as_dict(private=False), "kid": kid, "use": "sig"} for kid, key in self.keys.items()]

    def token(
        self, kid: str = "first", *, header: dict[str, Any] | None = None, without: tuple[str, ...] = (), **claims: Any
    ) -> str:
        """Return a token that is good in every way that the arguments don't change."""
        key = self.keys[kid]
        algorithm = {RSAKey: "RS256", ECKey: "ES256", OKPKey: "Ed25519", OctKey: "HS256"}[type(key)]
        now = int(time.time())
        whole = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "iat": now, "exp": now + 300, **claims}
        payload = {name: value for name, value in whole.items() if name not in without}
        head = {"alg": algorithm, "kid": kid, "typ": "JWT", **(header or {})}
        return jws.serialize_compact(
            {name: value for name, value in head.items() if value is not None},
            json.dumps(payload).encode(),
            key,
            registry=jws.JWSRegistry(algorithms=[head["alg"]], strict_check_header=False),
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        self.requests += 1
        status, body, headers = 200, json.dumps({"keys": self.entries()}).encode(), []
        match self.mode:
            case "down":
                status, body = 503, b"no"
            case "rubbish":
                body = b"<html>"
            case "redirect":
                status, headers = 302, [(b"location", b"http://127.0.0.1:1/keys")]
            case "huge":
                body = b" " * (2 << 20) + body
            case "hang":
                await asyncio.sleep(60)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def listening(app: Any, *, lifespan: str = "off") -> AsyncIterator[str]:
    """Serve an application on a free port."""
    config = uvicorn.Config(app, port=0, log_level="error", lifespan=lifespan, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        assert not task.done()
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
