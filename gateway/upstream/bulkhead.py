"""Only so many fetches of one subgraph at once, and so many that wait: a slow one fills its own compartment and no other."""

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
from gateway.upstream.crowd import Crowd


class Place(Protocol):
    """What waits for a place: a future, or what goes on at once."""

    def done(self) -> bool:
        """Tell whether it is set, or nobody waits any more."""

    def set_result(self, result: None, /) -> None:
        """Take the place."""

    def set_exception(self, failed: SubgraphFailure, /) -> None:
        """Take that there will be none."""


class Bulkhead:
    """Lets `most` fetches run and `most_waiting` wait; refuses the rest at once."""

    def __init__(
        self, inner: SubgraphClient, *, most: int = 64, most_waiting: int = 1_000, crowd: Crowd | None = None
    ) -> None:
        """`crowd` says how long they wait, and counts others who wait for the subgraph as well."""
        self._inner = inner
        self.most = most
        self.free = most
        """Places that nobody has."""
        self._most_waiting = most_waiting
        self.crowd = crowd or Crowd()
        self.waiting: deque[Place] = deque()
        """Whose turn it is when one is given back."""

    @property
    def has_room(self) -> bool:
        """Whether another fetch may run, or wait until it may."""
        return self.free > 0 or (len(self.waiting) < self._most_waiting and self.crowd.has_room)

    def wait(self, place: Place, deadline: float) -> float:
        """Set a place's result, None, when it is its turn. Whoever waits for it gives it back, or forgets it before.

        Returns until when it may wait, by the event loop's clock. Raises SubgraphFailure with SYSTEM_CIRCUIT_OPEN.
        """
        if len(self.waiting) >= self._most_waiting:
            raise _refused("bulkhead full", 1_000)
        until = self.crowd.enter(deadline)
        self.waiting.append(place)
        return until

    def forget(self, place: Place) -> None:
        """Let a place wait no more, if it still does."""
        if place in self.waiting:
            self.waiting.remove(place)
            self.crowd.leave()

    def turn_away(self, retry_after_ms: int) -> None:
        """Refuse all that wait: the subgraph is to be left alone for so long."""
        while self.waiting:
            place = self.waiting.popleft()
            self.crowd.leave()
            if not place.done():
                place.set_exception(_refused("breaker open", retry_after_ms))

    def late(self, until: float, deadline: float) -> SubgraphFailure:
        """Return the failure of a fetch with this deadline that waited until then."""
        return self.crowd.in_vain(until, deadline) or _no_place()

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
            self.crowd.leave()
            if not place.done():
                self.crowd.was_served()
                place.set_result(None)
                return
        self.free += 1

    async def _wait(self, context: RequestContext) -> None:
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        until = self.wait(place, context.deadline)
        try:
            async with asyncio.timeout_at(until):
                await place
        except BaseException as error:
            if not place.done() or place.cancelled():
                self.forget(place)
            elif place.exception() is None:
                # Given a place and called off at once: it is the next one's.
                self.leave()
            if isinstance(error, TimeoutError):
                raise self.late(until, context.deadline) from error
            raise

    def subscribe(self, request: SubgraphRequest, context: RequestContext) -> AsyncGenerator[SourceEvent, None]:
        """Streams take no place: they last."""
        return self._inner.subscribe(request, context)

    async def aclose(self) -> None:
        """Close the client inside."""
        await self._inner.aclose()


def _no_place() -> SubgraphFailure:
    return SubgraphFailure("SYSTEM_TIMEOUT", "no place in the bulkhead in time", is_sent=False, trips_breaker=False)


def _refused(reason: str, retry_after_ms: int) -> SubgraphFailure:
    return SubgraphFailure(
        "SYSTEM_CIRCUIT_OPEN", reason, is_sent=False, trips_breaker=False, retry_after_ms=retry_after_ms
    )
