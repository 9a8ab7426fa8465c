"""The common fetch over plain HTTP, in one step: what all policies around a client do when nothing is wrong.

Each policy is a client around another one, which reads well and costs a call, or several, for each. Nearly every fetch is
a read that goes out over an idle connection and comes back whole. `Direct` starts that one with what the policies know
and tells them how it ended. It also waits for a place in the bulkhead and opens connections, since a subgraph that is
slow for all has every fetch wait. Entities that are kept are answered with before any of that. Everything else (a write,
a read to join, entities that have to be read to be kept, a breaker that isn't closed, a failure) it leaves to the policies.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import monotonic  # event loops' clock; asking which loop runs costs a system call, and more than the time
from typing import Protocol

import orjson

from gateway.execution.begin import Fetch, begin_in_task, land_in_task
from gateway.execution.ports import (
    Flight,
    Landing,
    RequestContext,
    SubgraphAnswer,
    SubgraphFailure,
    SubgraphRequest,
)
from gateway.federation.plan import OperationKind
from gateway.upstream.breaker import CircuitBreaker, says_nothing
from gateway.upstream.bulkhead import Bulkhead
from gateway.upstream.coalesce import Coalesced, Key, LeaderGone, SharedFlight
from gateway.upstream.connection import Connection
from gateway.upstream.deadline import Deadlined
from gateway.upstream.headers import Headered
from gateway.upstream.http import (
    HTTP_HEADERS,
    PLAIN_JSON,
    HttpSubgraph,
    failure_of_transport,
    no_time_left,
    not_json,
    read_reply,
)
from gateway.upstream.kept import keep
from gateway.upstream.lean_transport import LeanTransport
from gateway.upstream.measured import Measured
from gateway.upstream.retry import Retried
from gateway.upstream.transport import HttpReply, NoAnswer, NotSent, TooLarge


class Keeps(Protocol):
    """A policy that may have kept what a fetch wants."""

    def find(self, request: SubgraphRequest, context: RequestContext) -> SubgraphAnswer | Fetch | None:
        """Return the answer where all of it is kept, else what fetches the rest; None where nothing of it may be kept.

        `request` has its headers. What fetches the rest wants it decoded as plain JSON.
        """


class Direct:
    """A subgraph's client with its policies, and the short way through them."""

    def __init__(
        self,
        http: HttpSubgraph,
        transport: LeanTransport,
        *,
        measured: Measured,
        deadlined: Deadlined,
        bulkhead: Bulkhead,
        breaker: CircuitBreaker,
        retried: Retried,
        coalesced: Coalesced,
        headered: Headered,
        keeps: Keeps | None = None,
    ) -> None:
        """Take the policies of one client, the transport's first: `headered` is the outermost and holds all others.

        `keeps`, a policy between the last two, looks at fetches of entities first.
        """
        self._identify = http.identify
        self.room = http.room
        self._transport = transport
        self._measured = measured
        self.answered = measured.answered
        self._deadlined = deadlined
        self.bulkhead = bulkhead
        self.breaker = breaker
        self._retried = retried
        self._budget = retried.budget
        self.coalesced = coalesced
        self._headered = headered
        self._fixed = headered.fixed
        self._fixed_lines = _lines(headered.fixed)
        self._forwarded = headered.forwarded
        self._keeps = keeps
        self._start = transport.start + "".join(f"{name}: {value}\r\n" for name, value in HTTP_HEADERS)
        self._queued: dict[_Fetch, _Place] = {}
        """Fetches that wait for a place, the first one first."""
        self._late: asyncio.TimerHandle | None = None
        """Looks for those that have waited too long."""
        self.fetch = headered.fetch
        self.subscribe = headered.subscribe
        self.aclose = headered.aclose

    # `begin` and `_Fetch.take` are long where many short functions would read better: each fetch of this process goes
    # through both, and a call costs as much as most of what they do.

    def begin(self, request: SubgraphRequest, context: RequestContext, land: Landing) -> Flight | None:
        """Start a fetch: here where it is a common one, else in a task that goes through the policies."""
        bulkhead = self.bulkhead
        now = monotonic()
        left_s = context.deadline - now
        if (
            request.kind is not OperationKind.QUERY
            or request.headers
            or self.breaker.open_until is not None
            or left_s < self._deadlined.fair_s
            or not (bulkhead.free > 0 or bulkhead.has_room)
            or (lines := self._fixed_lines) is None
        ):
            return self._begin_in_task(request, context, land)
        headers, given, caller = self._fixed, context.headers, context.caller
        for name in self._forwarded:
            value = given.get(name)
            if value is not None:
                if "\n" in value or "\r" in value or "\0" in value:
                    return self._begin_in_task(request, context, land)
                headers = (*headers, (name, value))
                lines = f"{lines}{name}: {value}\r\n"
        if self._keeps is not None and request.entities:
            request.headers = headers
            kept = self._keeps.find(request, context)
            if isinstance(kept, SubgraphAnswer):
                land(kept)
                return None
            if kept is not None:
                request.decode = orjson.loads  # it looks into the answer
                return land_in_task(kept, land)
            request.headers = ()
        if self._identify is not None:
            name, value = self._identify(caller)
            lines = f"{lines}{name}: {value}\r\n"
        key = (request.body_ or request.body, headers, caller.rights)
        fetch = _Fetch(context.deadline, None, 0, self, request, context, land, key, lines)
        if self.coalesced.flights.setdefault(key, fetch) is not fetch:
            return self._begin_in_task(request, context, land)  # which joins the one that is under way
        request.headers = headers
        if self._budget.tokens < self._budget.most:
            self._budget.earn()
        if bulkhead.free > 0:
            bulkhead.free -= 1
            self._begin(fetch, now)
        else:
            self._wait(fetch)
        return fetch

    def _begin_in_task(self, request: SubgraphRequest, context: RequestContext, land: Landing) -> Flight:
        if self._keeps is not None and request.entities:
            request.decode = orjson.loads  # whoever keeps entities looks into the answer, and asks for plain JSON
        return begin_in_task(self._headered, request, context, land)

    def _begin(self, fetch: _Fetch, now: float) -> None:
        """Send a fetch that has a place."""
        fetch.has_place = True
        left_s = fetch.deadline - now
        if left_s > self._deadlined.timeout_s:
            left_s = self._deadlined.timeout_s
        elif left_s < self._deadlined.fair_s:
            fetch.is_fair = False
        connection = self._transport.take_idle(now)
        if connection is None:
            fetch.task = asyncio.get_running_loop().create_task(self._connect(fetch, now + left_s))
        else:
            self._send(fetch, connection, now, left_s)

    def _send(self, fetch: _Fetch, connection: Connection, now: float, left_s: float) -> None:
        body = fetch.key[0]
        fetch.connection = connection
        fetch.begun = now
        connection.deadline = now + left_s
        if connection.deadline < self._transport.sweeps_at:
            self._transport.watch(connection.deadline)
        head = (
            f"{self._start}x-correlation-id: {fetch.context.correlation_id}\r\n{fetch.lines}"
            f"x-concord-deadline-ms: {int(left_s * 1000) or 1}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        connection.send(head.encode("latin-1", "replace") + body, fetch)

    async def _connect(self, fetch: _Fetch, deadline: float) -> None:
        """Open a connection for a fetch, or wait for one, until a time of the event loop's clock."""
        try:
            if deadline <= monotonic():
                raise no_time_left()
            connection = await self._transport.connect(deadline)
        except NotSent as error:
            self.fail(fetch, failure_of_transport(error))
        except SubgraphFailure as failed:
            self.fail(fetch, failed)
        except Exception as error:  # noqa: BLE001 - nobody awaits this task: whatever it is, whoever asked has to know
            self.give_up(fetch, error)
        else:
            fetch.task = None
            now = monotonic()
            self._send(fetch, connection, now, max(0.0, deadline - now))

    def fail(self, fetch: _Fetch, failed: SubgraphFailure) -> None:
        """Repeat a fetch that failed, where that helps."""
        if failed.code == "SYSTEM_TIMEOUT" and not fetch.is_fair:
            failed.trips_breaker = False
        if not says_nothing(failed):
            self.breaker.note(monotonic(), is_failure=failed.trips_breaker)  # first: if it opens, nobody gets the place
        if fetch.has_place:
            self._measured.failed[failed.code] += 1
            self._leave(fetch)
        fetch.task = asyncio.get_running_loop().create_task(self._repeat(fetch, failed))

    async def _repeat(self, fetch: _Fetch, failed: SubgraphFailure) -> None:
        outcome: SubgraphAnswer | SubgraphFailure
        try:
            outcome = await self._retried.again(failed, fetch.request, fetch.context)
        except SubgraphFailure as error:
            outcome = error
        except Exception as error:  # noqa: BLE001 - as in _connect
            self.give_up(fetch, error)
            return
        fetch.task = None
        self._close(fetch, outcome)
        fetch.land(outcome)

    def give_up(self, fetch: _Fetch, error: Exception) -> None:
        """End a fetch at what is no failure of the subgraph, but a bug."""
        fetch.task = None
        if fetch.has_place:
            self._leave(fetch)
        self._close(fetch, LeaderGone())
        fetch.land(error)

    def _leave(self, fetch: _Fetch) -> None:
        fetch.has_place = False
        self.bulkhead.leave()

    def _close(self, fetch: _Fetch, outcome: SubgraphAnswer | SubgraphFailure | LeaderGone) -> None:
        """End what others may have joined."""
        fetch.is_done = True
        self.coalesced.end(fetch.key, fetch, outcome)

    def call_off(self, fetch: _Fetch) -> None:
        """End a fetch that nobody wants any more."""
        self._close(fetch, LeaderGone())
        place = self._queued.pop(fetch, None)
        if place is not None:
            self.bulkhead.forget(place)
            return
        if fetch.task is not None:
            fetch.task.cancel()
        elif fetch.connection is not None:
            fetch.connection.drop()
        if fetch.has_place:
            self._leave(fetch)

    # Fetches that wait for a place

    def _wait(self, fetch: _Fetch) -> None:
        place = self._queued[fetch] = _Place(self, fetch)
        place.until = until = self.bulkhead.wait(place, fetch.deadline)
        if self._late is not None:
            if self._late.when() <= until:
                return
            self._late.cancel()
        self._late = asyncio.get_running_loop().call_at(until, self._end_late)

    def give_place(self, fetch: _Fetch) -> None:
        """Start a fetch that has waited."""
        self._queued.pop(fetch, None)
        self._begin(fetch, monotonic())

    def turn_away(self, fetch: _Fetch, failed: SubgraphFailure) -> None:
        """End a fetch that has waited for nothing."""
        self._queued.pop(fetch, None)
        self.fail(fetch, failed)

    def _end_late(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for fetch, place in [each for each in self._queued.items() if each[1].until <= now]:
            self.bulkhead.forget(self._queued.pop(fetch))
            self.fail(fetch, self.bulkhead.late(place.until, fetch.deadline))
        earliest = min((each.until for each in self._queued.values()), default=None)
        self._late = None if earliest is None else loop.call_at(earliest, self._end_late)


def _lines(headers: Sequence[tuple[str, str]]) -> str | None:
    """Return headers as lines, or None where one can't be sent as it is."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
    return lines if lines.count("\n") == lines.count("\r") == len(headers) and "\0" not in lines else None


class _Fetch(SharedFlight, eq=False):
    """A common fetch under way, which others may join. Takes the answer from its connection."""

    direct: Direct
    request: SubgraphRequest
    context: RequestContext
    land: Landing
    key: Key
    lines: str
    connection: Connection | None = None
    task: asyncio.Task[None] | None = None
    """What connects for it, or repeats it once it has failed."""
    begun: float = 0.0
    """Event loop's clock; when it was sent."""
    is_fair: bool = True
    """Whether the subgraph is to blame for being too slow."""
    has_place: bool = False
    is_done: bool = False

    def take(self, reply: HttpReply, /) -> None:
        """Take the reply through the policies, the innermost first."""
        connection, self.connection = self.connection, None
        assert connection is not None
        direct, request = self.direct, self.request
        try:
            if reply.status == 200 and reply.headers.get("content-type") in PLAIN_JSON:
                answer = SubgraphAnswer(request.decode(reply.body), reply.body)
            else:
                answer = read_reply(reply, request)
        except SubgraphFailure as failed:
            direct.fail(self, failed)
            return
        except ValueError as error:
            direct.fail(self, not_json(error))
            return
        except Exception as error:  # noqa: BLE001 - as in _connect: what called this would only close the connection
            direct.give_up(self, error)
            return
        self.has_place = False
        self.is_done = True
        bulkhead, flights = direct.bulkhead, direct.coalesced.flights
        if bulkhead.waiting:
            bulkhead.leave()
        else:
            bulkhead.free += 1
        direct.breaker.note_success(connection.idle_since)
        direct.answered.note(connection.idle_since - self.begun)
        other = flights.pop(self.key, self)
        if other is not self:
            flights[self.key] = other  # a write has parted those who asked before from those who ask after it
        if self.landed is not None:
            direct.coalesced.end(self.key, self, answer)
        self.land(answer)

    def take_large(self, reply: HttpReply, /) -> None:
        """Take the reply if there is room for it."""
        failed = keep(self.direct.room, self.context, len(reply.body))
        if failed is None:
            self.take(reply)
        else:
            self.connection = None
            self.direct.fail(self, failed)

    def fail(self, error: NoAnswer | TooLarge, /) -> None:
        """Repeat the fetch, where that helps."""
        self.connection = None
        self.direct.fail(self, failure_of_transport(error))

    def cancel(self) -> None:
        """Stop it."""
        if not self.is_done:
            self.direct.call_off(self)


class _Place:
    """A place in the bulkhead that a fetch waits for."""

    __slots__ = ("_direct", "_fetch", "until")

    def __init__(self, direct: Direct, fetch: _Fetch) -> None:
        self._direct = direct
        self._fetch = fetch
        self.until = fetch.deadline
        """How long it may wait, by the event loop's clock."""

    def done(self) -> bool:
        return self._fetch.is_done or self._fetch.deadline <= monotonic()  # then `_end_late` is about to end it

    def set_result(self, result: None, /) -> None:  # noqa: ARG002 - a future's
        self._direct.give_place(self._fetch)

    def set_exception(self, failed: SubgraphFailure, /) -> None:
        self._direct.turn_away(self._fetch, failed)
