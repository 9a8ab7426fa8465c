"""One subgraph that several processes serve: asked in turn, and one that fails is left alone for a moment."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from gateway.execution.ports import (
    RequestContext,
    SourceEvent,
    SubgraphAnswer,
    SubgraphClient,
    SubgraphFailure,
    SubgraphRequest,
)

REST_S = 2.0
"""How long a replica that failed is asked only where no other is well."""


class Replicas:
    """A client around those of the replicas.

    What was never sent goes on to the next replica at once. What may have been sent is for the policies outside to
    repeat, where that is safe; by then the replica that failed has its rest, so another one is asked.
    """

    def __init__(self, clients: Sequence[SubgraphClient], *, rest_s: float = REST_S) -> None:
        self._clients = tuple(clients)
        self._rest_s = rest_s
        self._rests_until = [0.0] * len(self._clients)
        self._turn = 0

    async def fetch(self, request: SubgraphRequest, context: RequestContext) -> SubgraphAnswer:
        """Fetch from the replica whose turn it is; raises SubgraphFailure where no replica could be asked, or one failed."""
        *others, last = self._order()
        for number in others:
            try:
                return await self._clients[number].fetch(request, context)
            except SubgraphFailure as failed:
                self._note(number, failed)
                if failed.is_sent or context.deadline <= asyncio.get_running_loop().time():
                    raise
        try:
            return await self._clients[last].fetch(request, context)
        except SubgraphFailure as failed:
            self._note(last, failed)
            raise

    async def subscribe(self, request: SubgraphRequest, context: RequestContext) -> AsyncGenerator[SourceEvent, None]:
        """Subscribe at one replica. A stream that has begun ends with it: whoever subscribed begins anew."""
        order = self._order()
        for number in order:
            try:
                # Each adds headers of its own.
                answers = self._clients[number].subscribe(copy.copy(request), context)
                async with aclosing(answers):
                    async for answer in answers:
                        yield answer
            except SubgraphFailure as failed:
                self._note(number, failed)
                if failed.is_sent or number == order[-1]:
                    raise
            else:
                return

    async def aclose(self) -> None:
        """Close all clients."""
        for client in self._clients:
            await client.aclose()

    def _order(self) -> list[int]:
        """Return the replicas' numbers as they are to be asked: in turn, those that rest last."""
        self._turn += 1
        now = asyncio.get_running_loop().time()
        well = [number for number, until in enumerate(self._rests_until) if until <= now]
        resting = [number for number, until in enumerate(self._rests_until) if until > now]
        place = self._turn % len(well) if well else 0
        return well[place:] + well[:place] + resting

    def _note(self, number: int, failed: SubgraphFailure) -> None:
        if failed.trips_breaker:
            self._rests_until[number] = asyncio.get_running_loop().time() + self._rest_s
