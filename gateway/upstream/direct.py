"""The common fetch over plain HTTP, in one step: what all policies around a client do when nothing is wrong.

Each policy is a client around another one, which reads well and costs a call, or several, for each. Nearly every fetch is
a read that goes out over an idle connection and comes back whole. `Direct` starts that one with what the policies know
and tells them how it ended; everything else (a read to join, a breaker that isn't closed, no place, no connection, a
failure) it leaves to them.
"""

from __future__ import annotations

import asyncio

from gateway.execution.begin import begin_in_task
from gateway.execution.ports import (
    Flight,
    Landing,
    RequestContext,
    SubgraphAnswer,
    SubgraphFailure,
    SubgraphRequest,
)
from gateway.federation.plan import OperationKind
from gateway.upstream.breaker import CircuitBreaker
from gateway.upstream.bulkhead import Bulkhead
from gateway.upstream.coalesce import Coalesced, Key, LeaderGone, SharedFlight
from gateway.upstream.connection import Connection
from gateway.upstream.deadline import Deadlined
from gateway.upstream.headers import Headered
from gateway.upstream.http import HTTP_HEADERS, HttpSubgraph, failure_of_transport, read_reply
from gateway.upstream.lean_transport import LeanTransport
from gateway.upstream.retry import Retried
from gateway.upstream.transport import HttpReply, NoAnswer, TooLarge


class Direct:
    """A subgraph's client with its policies, and the short way through them."""

    def __init__(
        self,
        http: HttpSubgraph,
        transport: LeanTransport,
        *,
        deadlined: Deadlined,
        bulkhead: Bulkhead,
        breaker: CircuitBreaker,
        retried: Retried,
        coalesced: Coalesced,
        headered: Headered,
    ) -> None:
        """Take the policies of one client, the transport's first: `headered` is the outermost and holds all others."""
        self._identify = http.identify
        self._transport = transport
        self._deadlined = deadlined
        self._bulkhead = bulkhead
        self._breaker = breaker
        self._retried = retried
        self._coalesced = coalesced
        self._headered = headered
        self._start = transport.start + "".join(f"{name}: {value}\r\n" for name, value in HTTP_HEADERS)
        self.fetch = headered.fetch
        self.subscribe = headered.subscribe
        self.aclose = headered.aclose

    def begin(self, request: SubgraphRequest, context: RequestContext, land: Landing) -> Flight | None:
        """Start a fetch: at once where it is a common one, else in a task that goes through the policies."""
        self._headered.add(request, context)
        coalesced, bulkhead, transport = self._coalesced, self._bulkhead, self._transport
        key = (request.body, request.headers, context.caller.rights)
        loop = asyncio.get_running_loop()
        now = loop.time()
        left_s = context.deadline - now
        timeout_s = self._deadlined.timeout_s
        if (
            request.kind is not OperationKind.QUERY
            or key in coalesced.flights
            or self._breaker.open_until is not None
            or bulkhead.free <= 0
            or left_s < self._deadlined.fair_s
        ):
            return begin_in_task(coalesced, request, context, land)
        left_s = min(left_s, timeout_s)
        head = self._head(request, context, left_s)
        connection = transport.take_idle(now)
        if head is None or connection is None:
            if connection is not None:
                transport.give_back(connection, now)
            return begin_in_task(coalesced, request, context, land)
        request.deadline = now + left_s
        flight = coalesced.flights[key] = SharedFlight(context.deadline)
        self._retried.budget.earn()
        bulkhead.free -= 1
        fetch = _Fetch(self, request, context, land, key, flight, connection)
        transport.watch(connection, now + left_s, loop)
        connection.send(head + request.body, fetch)
        return fetch

    def _head(self, request: SubgraphRequest, context: RequestContext, left_s: float) -> bytes | None:
        """Return the request's head, or None where a header can't be sent as it is."""
        lines = ""
        for name, value in request.headers:
            if "\r" in value or "\n" in value or "\0" in value:
                return None
            lines += f"{name}: {value}\r\n"
        if self._identify is not None:
            lines += "{}: {}\r\n".format(*self._identify(context.caller))
        text = (
            f"{self._start}x-correlation-id: {context.correlation_id}\r\n{lines}"
            f"x-concord-deadline-ms: {max(1, int(left_s * 1000))}\r\ncontent-length: {len(request.body)}\r\n\r\n"
        )
        return text.encode("latin-1", "replace")

    def end(self, fetch: _Fetch, reply: HttpReply | Exception) -> None:
        """Take a fetch's reply through the policies, the innermost first."""
        now = asyncio.get_running_loop().time()
        fetch.connection.finish()
        self._transport.give_back(fetch.connection, now)
        self._bulkhead.leave()
        outcome: SubgraphAnswer | SubgraphFailure
        if isinstance(reply, HttpReply):
            try:
                outcome = read_reply(reply, fetch.request)
            except SubgraphFailure as failed:
                outcome = failed
        else:
            assert isinstance(reply, NoAnswer | TooLarge)
            outcome = failure_of_transport(reply)
        if isinstance(outcome, SubgraphAnswer):
            self._breaker.note(now, is_failure=False)
            self.close(fetch, outcome)
            fetch.land(outcome)
        else:
            self._breaker.note(now, is_failure=outcome.trips_breaker)
            fetch.again = asyncio.get_running_loop().create_task(self._repeat(fetch, outcome))

    async def _repeat(self, fetch: _Fetch, failed: SubgraphFailure) -> None:
        outcome: SubgraphAnswer | SubgraphFailure
        try:
            outcome = await self._retried.again(failed, fetch.request, fetch.context)
        except SubgraphFailure as error:
            outcome = error
        fetch.again = None
        self.close(fetch, outcome)
        fetch.land(outcome)

    def close(self, fetch: _Fetch, outcome: SubgraphAnswer | SubgraphFailure | LeaderGone) -> None:
        """End what others may have joined."""
        self._coalesced.end(fetch.key, fetch.flight, outcome)

    def call_off(self, fetch: _Fetch) -> None:
        """End a fetch that nobody wants any more."""
        if fetch.again is not None:
            fetch.again.cancel()
        else:
            fetch.connection.finish()
            self._transport.give_back(fetch.connection, 0.0)
            self._bulkhead.leave()
        self.close(fetch, LeaderGone())


class _Fetch:
    """A common fetch under way. Takes the answer from its connection."""

    __slots__ = ("_direct", "_is_done", "again", "connection", "context", "flight", "key", "land", "request")

    def __init__(
        self,
        direct: Direct,
        request: SubgraphRequest,
        context: RequestContext,
        land: Landing,
        key: Key,
        flight: SharedFlight,
        connection: Connection,
    ) -> None:
        self._direct = direct
        self._is_done = False
        self.request = request
        self.context = context
        self.land = land
        self.key = key
        self.flight = flight
        self.connection = connection
        self.again: asyncio.Task[None] | None = None
        """What repeats it, once it has failed."""

    def done(self) -> bool:
        return self._is_done

    def set_result(self, result: HttpReply | Exception, /) -> None:
        self._is_done = True
        self._direct.end(self, result)

    set_exception = set_result

    def cancel(self) -> None:
        if not self._is_done or self.again is not None:
            self._is_done = True
            self._direct.call_off(self)
