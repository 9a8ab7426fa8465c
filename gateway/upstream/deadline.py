"""A fetch ends in time: at the request's deadline, or earlier where the subgraph is given less."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from gateway.execution.ports import RequestContext, SubgraphAnswer, SubgraphClient, SubgraphFailure, SubgraphRequest

GRACE_S = 0.02
"""The client inside knows best how far it got, so it may time out by itself first."""
BREAKER_S = 1.0
"""A subgraph that was given less time than this is not to blame for having been too slow."""


class Deadlined:
    """Ends fetches that take too long, and tells those inside when that will be."""

    def __init__(self, inner: SubgraphClient, *, timeout_s: float = 10.0) -> None:
        self._inner = inner
        self._timeout_s = timeout_s

    async def fetch(self, request: SubgraphRequest, context: RequestContext) -> SubgraphAnswer:
        """Fetch; raises SubgraphFailure with SYSTEM_TIMEOUT."""
        started = asyncio.get_running_loop().time()
        request.deadline = deadline = min(context.deadline, started + self._timeout_s)
        had_time = deadline - started >= min(BREAKER_S, self._timeout_s)
        try:
            async with asyncio.timeout_at(deadline + GRACE_S):
                return await self._inner.fetch(request, context)
        except TimeoutError as error:
            raise SubgraphFailure(
                "SYSTEM_TIMEOUT", "the deadline passed", is_sent=True, trips_breaker=had_time
            ) from error
        except SubgraphFailure as failed:
            if failed.code == "SYSTEM_TIMEOUT" and not had_time:
                failed.trips_breaker = False
            raise

    def subscribe(self, request: SubgraphRequest, context: RequestContext) -> AsyncGenerator[SubgraphAnswer, None]:
        """Streams have no deadline."""
        return self._inner.subscribe(request, context)

    async def aclose(self) -> None:
        """Close the client inside."""
        await self._inner.aclose()
