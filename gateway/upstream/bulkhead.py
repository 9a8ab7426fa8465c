"""Only so many fetches of one subgraph at once: a slow one fills its own compartment and no other."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from typing import Protocol

from gateway.execution.ports import (
    RequestContext,
    SourceEvent,
    SubgraphAnswer,
    SubgraphClient,
    SubgraphFailure,
    SubgraphRequest,
)


class Place(Protocol):
    """What waits for a place: a future, or what goes on at once."""

    def done(self) -> bool:
        """Tell whether it is set, or nobody waits any more."""

    def set_result(self, result: None, /) -> None:
        """Take the place."""


class Bulkhead:
    """Lets `most` fetches run and `most_waiting` wait; refuses the rest at once."""

    def __init__(self, inner: SubgraphClient, *, most: int = 64, most_waiting: int = 1_000) -> None:
        self._inner = inner
        self.most = most
        self.free = most
        """Places that nobody has."""
        self._most_waiting = most_waiting
        self.waiting: deque[Place] = deque()
        """Whose turn it is when one is given back."""

    @property
    def has_room(self) -> bool:
        """Whether another fetch may run, or wait until it may."""
        return self.free > 0 or len(self.waiting) < self._most_waiting

    def wait(self, place: Place) -> None:
        """Set a place's result, None, when it is its turn. Whoever waits for it gives it back, or forgets it before."""
        self.waiting.append(place)

    def forget(self, place: Place) -> None:
        """Let a place wait no more, if it still does."""
        if place in self.waiting:
            self.waiting.remove(place)

    async def fetch(self, request: SubgraphRequest, context: RequestContext) -> SubgraphAnswer:
        """Fetch when there is a place; raises SubgraphFailure with SYSTEM_CIRCUIT_OPEN or SYSTEM_TIMEOUT."""
        if self.free > 0:
            self.free -= 1
        else:
            await self._wait(context)
        try:
            return await self._inner.fetch(request, context)
        finally:
            self.leave()

    def leave(self) -> None:
        """Give a place back: it is whoever's has waited longest."""
        while self.waiting:
            place = self.waiting.popleft()
            if not place.done():
                place.set_result(None)
                return
        self.free += 1

    async def _wait(self, context: RequestContext) -> None:
        if len(self.waiting) >= self._most_waiting:
            raise SubgraphFailure(
                "SYSTEM_CIRCUIT_OPEN", "bulkhead full", is_sent=False, trips_breaker=False, retry_after_ms=1000
            )
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append(place)
        try:
            async with asyncio.timeout_at(context.deadline):
                await place
        except BaseException as error:
            if place.done() and not place.cancelled():
                # Given a place and called off at once: it is the next one's.
                self.leave()
            else:
                self.forget(place)
            if isinstance(error, TimeoutError):
                raise no_place() from error
            raise

    def subscribe(self, request: SubgraphRequest, context: RequestContext) -> AsyncGenerator[SourceEvent, None]:
        """Streams take no place: they last."""
        return self._inner.subscribe(request, context)

    async def aclose(self) -> None:
        """Close the client inside."""
        await self._inner.aclose()


def no_place() -> SubgraphFailure:
    """Return the failure of a fetch that waited until its request's deadline."""
    return SubgraphFailure("SYSTEM_TIMEOUT", "no place in the bulkhead in time", is_sent=False, trips_breaker=False)
