"""One subgraph that several processes serve: asked in turn, and one that fails is left alone for a while."""

from __future__ import annotations

import copy
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from time import monotonic

from gateway.execution.ports import (
    RequestContext,
    SourceEvent,
    SubgraphAnswer,
    SubgraphClient,
    SubgraphFailure,
    SubgraphRequest,
)
from gateway.federation.plan import OperationKind
from gateway.upstream.breaker import says_nothing

REST_S = 2.0
"""How long a replica that failed is left alone; twice as long after each further failure …"""
LONGEST_REST_S = 60.0
"""… up to this."""
CONNECT_S = 1.0
"""How long connecting to a replica may take where there is another one to ask."""


@dataclass(slots=True, eq=False)
class _Replica:
    client: SubgraphClient
    failures: int = 0
    """How often it was asked in vain, one time after the other. Those that were under way together count once."""
    rests_until: float = 0.0
    is_tried: bool = False
    """Whether a read finds out if it is well again."""

    def note(self, failed: SubgraphFailure | None, rest_s: float) -> None:
        if failed is None or not (failed.trips_breaker or says_nothing(failed)):
            self.failures = 0  # an answer, or a refusal of this one request
        elif failed.trips_breaker and monotonic() >= self.rests_until:
            self.rests_until = monotonic() + min(LONGEST_REST_S, rest_s * 2**self.failures)
            self.failures += 1


class Replicas:
    """A client around those of the replicas, each with its deadline.

    What was never sent goes on to the next replica at once, and a read that one of them does not answer in time to one
    that is well. What else may have been sent is for the policies outside to repeat, where that is safe; by then the
    replica that failed has its rest, so another one is asked. After the rest one read finds out how it is.
    """

    def __init__(self, clients: Sequence[SubgraphClient], *, rest_s: float = REST_S) -> None:
        self._replicas = tuple(map(_Replica, clients))
        self._rest_s = rest_s
        self._turn = 0

    async def fetch(self, request: SubgraphRequest, context: RequestContext) -> SubgraphAnswer:
        """Fetch from the replica whose turn it is; raises SubgraphFailure where no replica could be asked, or one failed."""
        is_read = request.kind is OperationKind.QUERY
        tried = self._due() if is_read else None
        order = self._order(tried)
        for replica, following in zip(order, (*order[1:], None), strict=True):
            request.connect_s = None if following is None else CONNECT_S
            try:
                return await self._ask(replica, request, context, is_trial=replica is tried)
            except SubgraphFailure as failed:
                if following is None or context.deadline <= monotonic():
                    raise
                is_unanswered = is_read and failed.code == "SYSTEM_TIMEOUT" and not following.failures
                if failed.is_sent and not is_unanswered:
                    raise
        raise AssertionError("the last one answers or raises")

    async def _ask(
        self, replica: _Replica, request: SubgraphRequest, context: RequestContext, *, is_trial: bool
    ) -> SubgraphAnswer:
        replica.is_tried = replica.is_tried or is_trial
        try:
            answer = await replica.client.fetch(request, context)
        except SubgraphFailure as failed:
            replica.note(failed, self._rest_s)
            raise
        finally:
            if is_trial:
                replica.is_tried = False
        replica.note(None, self._rest_s)
        return answer

    async def subscribe(self, request: SubgraphRequest, context: RequestContext) -> AsyncGenerator[SourceEvent, None]:
        """Subscribe at one replica. A stream that has begun ends with it: whoever subscribed begins anew."""
        order = self._order(None)
        for replica in order:
            try:
                # Each adds headers of its own.
                answers = replica.client.subscribe(copy.copy(request), context)
                async with aclosing(answers):
                    async for answer in answers:
                        yield answer
            except SubgraphFailure as failed:
                replica.note(failed, self._rest_s)
                if failed.is_sent or replica is order[-1]:
                    raise
            else:
                return

    async def aclose(self) -> None:
        """Close all clients."""
        for replica in self._replicas:
            await replica.client.aclose()

    def _due(self) -> _Replica | None:
        """Return a replica that has had its rest and is to be tried by one read, if there is one."""
        now = monotonic()
        return next(
            (each for each in self._replicas if each.failures and each.rests_until <= now and not each.is_tried), None
        )

    def _order(self, tried: _Replica | None) -> list[_Replica]:
        """Return the replicas as they are to be asked: the one that is tried, those that are well in turn, the others."""
        self._turn += 1
        well = [each for each in self._replicas if not each.failures]
        others = [each for each in self._replicas if each.failures and each is not tried]
        place = self._turn % len(well) if well else 0
        others.sort(key=lambda each: each.rests_until)
        return [*(() if tried is None else (tried,)), *well[place:], *well[:place], *others]
