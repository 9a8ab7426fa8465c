"""The event doors of a gateway as a process to be killed: `crash_gateway.py ENGINE PORT SCHEMAS SECRET`.

ENGINE is the path of a SQLite file or the URL of a Redis. Serves POST /events, GET /events/feed and GET /log.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from gateway.events.contracts import EventContracts
from gateway.events.embedded import embedded_events
from gateway.events.feed import EventFeed, FeedSettings
from gateway.events.ingest import EventIngest, events_route
from gateway.events.log import StoreUnavailable
from gateway.events.shared import shared_events


async def serve(engine: str, port: int, schemas: Path, secret: str) -> None:
    contracts = EventContracts.load(schemas)
    opening = shared_events(engine) if engine.startswith("redis:") else embedded_events(Path(engine))
    async with opening as events:
        # A named consumer beside the rest, whose place must survive as well.
        following = asyncio.create_task(consume(events, os.environ["CRASH_JOURNAL"]))

        async def never() -> None:
            await asyncio.Event().wait()

        feed = EventFeed(events.log, events.streams, contracts, secret=secret, settings=FeedSettings(), stopping=never)

        async def state(_request):
            letters = await events.dead_letters.read(0, 1_000_000)
            consumers = {each.name: each.waiting for each in await events.consumers.states()}
            body = {
                "head": events.log.bounds().head,
                "letters": [letter.rejected.event_id for letter in letters],
                "consumers": consumers,
            }
            return Response(orjson.dumps(body))

        ingest = EventIngest(events.log, events.dead_letters, contracts, secret=secret)
        app = Starlette(routes=[Route("/events/feed", endpoint=feed), events_route(ingest), Route("/state", state)])
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
            listener.listen(512)
            print("ready", flush=True)
            await uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off")).serve(sockets=[listener])
        following.cancel()


async def consume(events, journal: str) -> None:
    """Write each event of the named consumer down before it is acknowledged."""
    with Path(journal).open("ab", buffering=0) as file:  # noqa: ASYNC230 - a few bytes at a time
        while True:
            try:
                async with events.consumers.serving("crash") as consumer:
                    while True:
                        taken = await consumer.take(200)
                        file.writelines(f"{recorded.position} {recorded.event.id}\n".encode() for recorded in taken)
                        await consumer.acknowledge(*(recorded.position for recorded in taken))
            except Exception as error:  # noqa: BLE001 - Redis is killed under it: tried again
                if not isinstance(error, StoreUnavailable):
                    print(repr(error), file=sys.stderr, flush=True)
                await asyncio.sleep(0.2)


async def main(engine: str, port: int, schemas: Path, secret: str) -> None:
    while True:
        try:
            await serve(engine, port, schemas, secret)
            return
        except StoreUnavailable:  # Redis is being killed just now
            await asyncio.sleep(0.2)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]))
