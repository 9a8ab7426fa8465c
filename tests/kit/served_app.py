"""Serves an ASGI application of a test on a free port, in the test's own loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from waiting import until


@asynccontextmanager
async def served(app: Any, **config: Any) -> AsyncIterator[str]:
    """Serve it within the context; yields its address. `config` is uvicorn's."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        server = uvicorn.Server(uvicorn.Config(app, **{"log_level": "critical", "lifespan": "off", **config}))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await until(lambda: server.started or serving.done())
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving
