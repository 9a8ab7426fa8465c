"""A fetch ends in time: at the request's deadline, or earlier where the subgraph is given less."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from gateway.execution.ports import (
    RequestContext,
    SourceEvent,
    SubgraphAnswer,
    SubgraphClient,
    SubgraphFailure,
    SubgraphRequest,
)

BREAKER_S = 1.0
"""A subgraph that was given less time than this is not to blame for having been too slow."""


class Deadlined:
    """Tells the client inside when a fetch must have ended, and whom to blame when it ended for that.

    The transport keeps the time: it knows how far a fetch got, and a second timer around it would cost as much again.
    """

    def __init__(self, inner: SubgraphClient, *, timeout_s: float = 10.0) -> None:
        self._inner = inner
        self.timeout_s = timeout_s
        self.fair_s = min(BREAKER_S, timeout_s)
        """A subgraph that is given less is not to blame for being too slow."""

    async def fetch(self, request: SubgraphRequest, context: RequestContext) -> SubgraphAnswer:
        """Fetch; raises SubgraphFailure with SYSTEM_TIMEOUT."""
        started = asyncio.get_running_loop().time()
        request.deadline = deadline = min(context.deadline, started + self.timeout_s)
        had_time = deadline - started >= self.fair_s
        try:
            return await self._inner.fetch(request, context)
        except SubgraphFailure as failed:
            if failed.code == "SYSTEM_TIMEOUT" and not had_time:
                failed.trips_breaker = False
            raise

    def subscribe(self, request: SubgraphRequest, context: RequestContext) -> AsyncGenerator[SourceEvent, None]:
        """Streams have no deadline."""
        return self._inner.subscribe(request, context)

    async def aclose(self) -> None:
        """Close the client inside."""
        await self._inner.aclose()
