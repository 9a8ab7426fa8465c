"""Identical reads in flight are sent once. Only callers with the same rights share an answer, and each owns a copy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

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

SLACK_S = 1.0
"""A read may join one that has to end this much earlier; identical requests rarely come at the same instant."""


class _LeaderGone(Exception):  # noqa: N818 - a signal, never seen outside this module
    """Whoever fetched was cancelled; another one has to."""


@dataclass(slots=True)
class _Flight:
    deadline: float
    landed: asyncio.Future[SubgraphAnswer] | None = None
    """Made by the first follower; most flights have none."""
    followers: int = 0


_Key = tuple[bytes, tuple[tuple[str, str], ...], str]


@dataclass(slots=True)
class Coalesced:
    """Joins a read to an identical one that is under way."""

    inner: SubgraphClient
    _flights: dict[_Key, _Flight] = field(default_factory=dict)

    async def fetch(self, request: SubgraphRequest, context: RequestContext) -> SubgraphAnswer:
        """Fetch, or wait for whoever already does."""
        if request.kind is not OperationKind.QUERY:
            try:
                return await self.inner.fetch(request, context)
            finally:
                # Who reads after a write must not be given what began to be read before it.
                self._flights.clear()
        key = (request.body, request.headers, context.caller.rights)
        while (flight := self._flights.get(key)) is not None and flight.deadline >= context.deadline - SLACK_S:
            try:
                return await self._follow(flight, request, context)
            except _LeaderGone:
                continue
        return await self._lead(key, request, context)

    async def _follow(self, flight: _Flight, request: SubgraphRequest, context: RequestContext) -> SubgraphAnswer:
        flight.followers += 1
        if flight.landed is None:
            flight.landed = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout_at(context.deadline):
                answer = await asyncio.shield(flight.landed)
        except TimeoutError as error:
            raise SubgraphFailure("SYSTEM_TIMEOUT", "the deadline passed", is_sent=True, trips_breaker=False) from error
        finally:
            flight.followers -= 1
        if answer.body is not None:
            return SubgraphAnswer(request.decode(answer.body), answer.body)
        return SubgraphAnswer(copy_json(answer.value))

    async def _lead(self, key: _Key, request: SubgraphRequest, context: RequestContext) -> SubgraphAnswer:
        flight = _Flight(context.deadline)
        self._flights[key] = flight
        try:
            answer = await self.inner.fetch(request, context)
        except BaseException as error:
            if flight.landed is not None and flight.followers:
                flight.landed.set_exception(error if isinstance(error, SubgraphFailure) else _LeaderGone())
            raise
        else:
            if flight.landed is not None and flight.followers:
                # The leader is about to change its value.
                kept = answer if answer.body is not None else SubgraphAnswer(copy_json(answer.value))
                flight.landed.set_result(kept)
            return answer
        finally:
            if self._flights.get(key) is flight:
                del self._flights[key]

    def subscribe(self, request: SubgraphRequest, context: RequestContext) -> AsyncGenerator[SourceEvent, None]:
        """Streams are never shared."""
        return self.inner.subscribe(request, context)

    async def aclose(self) -> None:
        """Close the client inside."""
        await self.inner.aclose()
