"""The gateway's door on a real socket, over a real engine and a small library: `python serve.py [--csrf strict] …`.

Prints `ready http://127.0.0.1:PORT` once it answers.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from pathlib import Path

import uvloop
from books import REVIEWS, SHELVES, LocalSubgraph, Reviews, Shelves

from gateway.access.authenticate import allow_anonymous
from gateway.access.caller import Caller
from gateway.access.csrf import CsrfPolicy
from gateway.access.load import Load
from gateway.access.persisted import RememberedDocuments
from gateway.console import console
from gateway.engine import Engine
from gateway.errors import GatewayError
from gateway.federation.planner import Planner
from gateway.federation.supergraph import parse_supergraph
from gateway.transport.drain import Drain
from gateway.transport.graphql_app import graphql_app
from gateway.transport.routes import health, routes
from gateway.transport.server import server
from gateway.transport.settings import CorsSettings, StreamSettings, TransportSettings, WebSocketSettings

HERE = Path(__file__).parent


async def authenticate(headers: dict[str, str]) -> Caller:
    """Anybody may call, but whoever brings a token must bring a good one."""
    match headers.get("authorization", "").split():
        case []:
            return await allow_anonymous(headers)
        case ["Bearer", "good"]:
            return Caller(subject="ada")
        case ["Bearer", expiry] if expiry.replace(".", "").isdigit():
            return Caller(subject="ada", expires_at=float(expiry))
        case ["Bearer", "forbidden"]:
            raise GatewayError("FORBIDDEN")
        case _:
            raise GatewayError("UNAUTHENTICATED", headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})


async def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--csrf", type=CsrfPolicy, default=CsrfPolicy.FETCH_METADATA)
    options.add_argument("--receive-timeout", type=float, default=2.0)
    options.add_argument("--heartbeat", type=float, default=10.0)
    options.add_argument("--send-timeout", type=float, default=3.0)
    options.add_argument("--max-unsent", type=int, default=256 << 20)
    options.add_argument("--unopened", type=float, default=30.0)
    options.add_argument("--in-flight", type=int, default=500)
    options.add_argument("--cors", action="append", default=[])
    given = options.parse_args()
    settings = TransportSettings(
        csrf=given.csrf,
        receive_timeout_s=given.receive_timeout,
        cors=CorsSettings(origins=frozenset(given.cors)),
        stream=StreamSettings(
            heartbeat_s=given.heartbeat, send_timeout_s=given.send_timeout, unopened_s=given.unopened
        ),
        websocket=WebSocketSettings(init_timeout_s=2.0, max_operations=100),
        max_unsent_bytes=given.max_unsent,
        compress_from_bytes=1024,
    )
    supergraph = parse_supergraph((HERE / "supergraph.graphql").read_text())
    clients = {"shelves": LocalSubgraph(SHELVES, Shelves()), "reviews": LocalSubgraph(REVIEWS, Reviews())}
    engine = Engine(supergraph, clients, planner=Planner(supergraph), documents=RememberedDocuments())
    drain = Drain()
    page = console(query="query Books { books { id title rating } }")
    app = graphql_app(
        lambda: engine,
        settings=settings,
        authenticate=authenticate,
        drain=drain,
        page=page.page,
        load=Load(given.in_flight),
    )
    table = {"/graphql": app, "/graphql/stream": app, "/health": health, "/": page.page, "/console/": page.assets}
    process = server(routes(table, websockets={"/graphql"}), drain=drain, settings=settings, port=0)
    serving = asyncio.create_task(process.serve())
    await process.ready.wait()
    print("ready http://{}:{}".format(*process.addresses[0]), flush=True)
    await serving


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    uvloop.run(main())
