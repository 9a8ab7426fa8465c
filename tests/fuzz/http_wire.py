"""A gateway's HTTP protocol without a socket: bytes in at one end, whole answers out at the other."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httptools
import uvicorn
from guarded import Scripted, composed
from joserfc import jwt
from joserfc.jwk import ECKey
from uvicorn.server import ServerState

from gateway.access.authenticate import Credentials
from gateway.access.revocations import Revocations
from gateway.access.settings import AccessPolicy, AccessSettings, IssuerSettings
from gateway.engine import Engine
from gateway.execution.ports import RequestContext, SubgraphAnswer, SubgraphRequest
from gateway.transport.drain import Drain
from gateway.transport.graphql_app import graphql_app
from gateway.transport.http_protocol import http_protocol
from gateway.transport.routes import health, routes
from gateway.transport.settings import TransportSettings

SDL = """
type Query { open(text: String): String guarded: String who: String }
"""
LINKED = """
extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@authenticated", "@requiresScopes"])
type Query { open(text: String): String guarded: String @requiresScopes(scopes: [["see"]]) who: String }
"""
KEY = ECKey.generate_key("P-256", {"kid": "k"})


def token(**claims: Any) -> str:
    claims = {"iss": "i", "aud": "a", "sub": "ada", "exp": int(time.time()) + 86_400, **claims}
    return jwt.encode({"alg": "ES256", "kid": "k"}, claims, KEY)


class Knowing(Scripted):
    """A subgraph that says for whom it was asked."""

    async def fetch(self, request: SubgraphRequest, context: RequestContext) -> SubgraphAnswer:
        self.root["who"] = context.caller.subject
        return await super().fetch(request, context)


class Transport(asyncio.Transport):
    """The end of the world: keeps what is written."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 5), "sockname": ("127.0.0.1", 80)})
        self.written = bytearray()
        self.closed = False

    def write(self, data: Any) -> None:
        if not self.closed:
            self.written += data

    def writelines(self, pieces: Any) -> None:
        self.write(b"".join(pieces))

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        """Everything is there already."""

    def resume_reading(self) -> None:
        """As above."""

    def set_protocol(self, protocol: Any) -> None:
        """Only an upgrade changes it, and none is made here."""


class Answers:
    """Takes a stream of responses apart, with a parser that is not the gateway's."""

    def __init__(self, written: bytes) -> None:
        self.found: list[tuple[int, Any]] = []
        self._body = b""
        self._parser = httptools.HttpResponseParser(self)
        self._parser.feed_data(written)

    def on_message_begin(self) -> None:
        self._body = b""

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        # What is promised to a PUT is a name for a stream to come, another one each time.
        self.found.append((status, len(self._body) if status == 201 else shown(self._body)))


class Requests:
    """Counts the requests that are whole, until the first that isn't HTTP."""

    def __init__(self, sent: bytes) -> None:
        self.whole = 0
        self.is_broken = self.is_upgrade = self.has_head = False
        self._parser = httptools.HttpRequestParser(self)
        try:
            self._parser.feed_data(sent)
        except httptools.HttpParserUpgrade:
            self.is_upgrade = True
        except httptools.HttpParserError:
            self.is_broken = True

    def on_headers_complete(self) -> None:
        self.has_head |= self._parser.get_method() == b"HEAD"

    def on_message_complete(self) -> None:
        self.whole += 1

    @property
    def can_be_compared(self) -> bool:
        """Whether `Answers` can take the answers apart: it does not know which one is to a HEAD, and so has no body."""
        return not self.is_upgrade and not self.has_head


def shown(body: bytes) -> Any:
    """Return a JSON body without what differs between two equal requests; other bodies as they are."""
    try:
        value = json.loads(body)
    except ValueError:
        return body
    for error in value.get("errors", ()) if isinstance(value, dict) else ():
        assert error["extensions"].pop("correlationId")
    return value


class Wire:
    """One gateway process, as far as its connections go."""

    def __init__(self, folder: Path) -> None:
        self.loop = asyncio.new_event_loop()
        keys = folder / "keys.json"
        keys.write_text(json.dumps({"keys": [KEY.as_dict(private=False)]}))
        issuer = IssuerSettings(issuer="i", audience=("a",), algorithms=("ES256",), jwks=keys)
        access = AccessSettings(policy=AccessPolicy.DEVELOPMENT, issuers={"i": issuer})
        answers = {"open": lambda text=None: f"open {text}", "guarded": "secret"}
        self.engine = Engine(composed(one=LINKED), {"one": Knowing(SDL, answers)})
        settings = TransportSettings()
        app = graphql_app(
            lambda: self.engine, settings=settings, authenticate=Credentials(access, Revocations()), drain=Drain()
        )
        table = routes({"/graphql": app, "/health": health}, websockets=())
        self._config = uvicorn.Config(
            table, http=http_protocol(settings, table.fast), lifespan="off", log_config=None, access_log=False, server_header=False
        )  # fmt: skip
        self._config.load()
        self._protocol: Any = self._config.http_protocol_class

    def close(self) -> None:
        self.engine.close()
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()

    def ask(self, pieces: Sequence[bytes]) -> list[tuple[int, Any]]:
        """Return status and body of every answer to what comes in these pieces over a new connection."""
        return self.loop.run_until_complete(self._ask(pieces))

    async def _ask(self, pieces: Sequence[bytes]) -> list[tuple[int, Any]]:
        transport = Transport()
        protocol = self._protocol(self._config, ServerState(), {})
        protocol.connection_made(transport)
        for piece in pieces:
            if not transport.closed:
                protocol.data_received(piece)
                await asyncio.sleep(0)
        asked = Requests(b"".join(pieces))
        expected = asked.whole + asked.is_broken
        limit = time.monotonic() + 20
        while not transport.closed and len(Answers(bytes(transport.written)).found) < expected:
            assert time.monotonic() < limit, (pieces, bytes(transport.written))
            await asyncio.sleep(0.0005)
        transport.close()
        protocol.connection_lost(None)
        await asyncio.sleep(0)
        found = Answers(bytes(transport.written)).found
        # A last request that is not whole may be refused by its head, at once or a moment later.
        assert len(found) <= expected + 1
        return found[:expected]


@contextmanager
def wire(folder: Path) -> Iterator[Wire]:
    opened = Wire(folder)
    try:
        yield opened
    finally:
        opened.close()
