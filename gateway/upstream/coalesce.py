"""Identical reads in flight, and subscriptions that are open, are sent once.

Only callers with the same rights share an answer, and each owns a copy.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from functools import partial

from msgspec import Struct

from gateway.execution.merge import copy_json
from gateway.execution.ports import (
    RequestContext,
    SourceEvent,
    SubgraphAnswer,
    SubgraphClient,
    SubgraphFailure,
    SubgraphRequest,
)
from gateway.federation.plan import OperationKind
from gateway.upstream.crowd import Crowd
from gateway.upstream.kept import Room, keep
from gateway.upstream.read_budget import LARGE_BYTES
from gateway.upstream.shared_streams import SharedStreams

SLACK_S = 1.0
"""A read may join one that has to end this much earlier; identical requests rarely come at the same instant."""


def deadline_passed() -> SubgraphFailure:
    """Return the failure of a read that waited for another one until its request's deadline."""
    return SubgraphFailure("SYSTEM_TIMEOUT", "the deadline passed", is_sent=True, trips_breaker=False)


class LeaderGone(Exception):  # noqa: N818 - a signal, never seen outside this module
    """Whoever fetched was cancelled; another one has to."""


class SharedFlight(Struct, eq=False):
    """A read that others may join until it ends. A `Struct`, as others that each fetch makes: it is made in C."""

    deadline: float
    landed: asyncio.Future[SubgraphAnswer] | None
    """Made by the first follower; most flights have none."""
    followers: int


Key = tuple[bytes, tuple[tuple[str, str], ...], str]


@dataclass(slots=True)
class Coalesced:
    """Joins a read to an identical one that is under way."""

    inner: SubgraphClient
    flights: dict[Key, SharedFlight] = field(default_factory=dict)
    """Reads that are under way."""
    crowd: Crowd = field(default_factory=Crowd)
    """Whom those are among who wait for what others read."""
    room: Room | None = None
    """Where large answers go."""
    streams: SharedStreams | None = None
    """Subscriptions that are open; None where each subscriber has its own."""

    async def fetch(self, request: SubgraphRequest, context: RequestContext) -> SubgraphAnswer:
        """Fetch, or wait for whoever already does."""
        if request.kind is not OperationKind.QUERY:
            try:
                return await self.inner.fetch(request, context)
            finally:
                # Who reads after a write must not be given what began to be read before it.
                self.flights.clear()
        key = (request.body, request.headers, context.caller.rights)
        while (flight := self.flights.get(key)) is not None and flight.deadline >= context.deadline - SLACK_S:
            try:
                return await self._follow(flight, request, context)
            except LeaderGone:
                continue
        return await self._lead(key, request, context)

    async def _follow(self, flight: SharedFlight, request: SubgraphRequest, context: RequestContext) -> SubgraphAnswer:
        until = self.crowd.enter(context.deadline)
        flight.followers += 1
        if flight.landed is None:
            flight.landed = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout_at(until):
                answer = await asyncio.shield(flight.landed)
        except TimeoutError as error:
            raise self.crowd.in_vain(until, context.deadline) or deadline_passed() from error
        finally:
            flight.followers -= 1
            self.crowd.leave()
        self.crowd.was_served()
        if answer.body is not None:
            body = answer.body
            if len(body) > LARGE_BYTES:
                failed = keep(self.room, context, len(body))  # one was read, but each who asked has a copy
                if failed is not None:
                    del answer, body
                    raise failed
            return SubgraphAnswer(request.decode(body), body)
        return SubgraphAnswer(copy_json(answer.value))

    async def _lead(self, key: Key, request: SubgraphRequest, context: RequestContext) -> SubgraphAnswer:
        flight = SharedFlight(context.deadline, None, 0)
        self.flights[key] = flight
        try:
            answer = await self.inner.fetch(request, context)
        except BaseException as error:
            self.end(key, flight, error if isinstance(error, SubgraphFailure) else LeaderGone())
            raise
        self.end(key, flight, answer)
        return answer

    def end(self, key: Key, flight: SharedFlight, outcome: SubgraphAnswer | SubgraphFailure | LeaderGone) -> None:
        """Let nobody join a read any more, and tell those who did what became of it."""
        if self.flights.get(key) is flight:
            del self.flights[key]
        if flight.landed is None or not flight.followers:
            return
        if not isinstance(outcome, SubgraphAnswer):
            flight.landed.set_exception(outcome)
        elif outcome.body is not None:
            flight.landed.set_result(outcome)
        else:
            # The leader is about to change its value.
            flight.landed.set_result(SubgraphAnswer(copy_json(outcome.value)))

    def subscribe(self, request: SubgraphRequest, context: RequestContext) -> AsyncGenerator[SourceEvent, None]:
        """Subscribe, or join whoever has already."""
        if self.streams is None:
            return self.inner.subscribe(request, context)
        key = (request.body, request.headers, context.caller.rights)
        return self.streams.subscribe(key, partial(self.inner.subscribe, request, context))

    async def aclose(self) -> None:
        """End what is shared, and close the client inside."""
        if self.streams is not None:
            await self.streams.aclose()
        await self.inner.aclose()
