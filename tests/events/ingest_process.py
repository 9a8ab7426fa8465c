"""A process of its own that takes events, to be killed: `python ingest_process.py <sqlite file> <schemas> <secret>`."""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from gateway.events.contracts import EventContracts
from gateway.events.embedded import embedded_events
from gateway.events.ingest import EventIngest, events_route


async def main(path: Path, schemas: Path, secret: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        async with embedded_events(path) as events:
            ingest = EventIngest(events.log, events.dead_letters, EventContracts.load(schemas), secret=secret)
            app = Starlette(routes=[events_route(ingest)])
            print(f"ready http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
            await uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off")).serve(sockets=[listener])


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
