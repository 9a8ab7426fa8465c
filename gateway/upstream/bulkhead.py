"""Only so many fetches of one subgraph at once: a slow one fills its own compartment and no other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from gateway.execution.ports import RequestContext, SubgraphAnswer, SubgraphClient, SubgraphFailure, SubgraphRequest


class Bulkhead:
    """Lets `most` fetches run and `most_waiting` wait; refuses the rest at once."""

    def __init__(self, inner: SubgraphClient, *, most: int = 64, most_waiting: int = 1_000) -> None:
        self._inner = inner
        self._places = asyncio.Semaphore(most)
        self._most_waiting = most_waiting
        self._waiting = 0

    async def fetch(self, request: SubgraphRequest, context: RequestContext) -> SubgraphAnswer:
        """Fetch when there is a place; raises SubgraphFailure with SYSTEM_CIRCUIT_OPEN or SYSTEM_TIMEOUT."""
        if self._places.locked():
            await self._wait(context)
        else:
            await self._places.acquire()
        try:
            return await self._inner.fetch(request, context)
        finally:
            self._places.release()

    async def _wait(self, context: RequestContext) -> None:
        if self._waiting >= self._most_waiting:
            raise SubgraphFailure(
                "SYSTEM_CIRCUIT_OPEN", "bulkhead full", is_sent=False, trips_breaker=False, retry_after_ms=1000
            )
        self._waiting += 1
        try:
            async with asyncio.timeout_at(context.deadline):
                await self._places.acquire()
        except TimeoutError as error:
            raise SubgraphFailure(
                "SYSTEM_TIMEOUT", "no place in the bulkhead in time", is_sent=False, trips_breaker=False
            ) from error
        finally:
            self._waiting -= 1

    def subscribe(self, request: SubgraphRequest, context: RequestContext) -> AsyncGenerator[SubgraphAnswer, None]:
        """Streams take no place: they last."""
        return self._inner.subscribe(request, context)

    async def aclose(self) -> None:
        """Close the client inside."""
        await self._inner.aclose()
