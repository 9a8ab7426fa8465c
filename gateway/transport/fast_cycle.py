"""A common request that is being answered: what stands between its protocol and its query."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic  # event loops' clock

from msgspec import Struct

from gateway.access.load import Load
from gateway.execution.message import GraphQLResponse
from gateway.execution.ports import Flight
from gateway.transport.fast_post import CommonHead


class FastCycle(Struct, eq=False):
    """One for each common request. Has what uvicorn's protocol asks of an ASGI cycle."""

    write: Callable[[FastCycle, GraphQLResponse], None]
    head: CommonHead
    correlation: str
    keep_alive: bool
    load: Load | None = None
    """What it counts in until it is answered or called off."""
    begun: float = 0.0
    """Event loop's clock; when the query began."""
    flight: Flight | None = None
    disconnected: bool = False
    response_started: bool = False
    response_complete: bool = False

    @property
    def message_event(self) -> FastCycle:
        """What the protocol sets when the client has gone."""
        return self

    def set(self) -> None:
        """Stop: there is nobody left to answer. Lets the protocol go, which would else wait for the garbage collector."""
        self.write = _to_nobody
        self._leave()
        flight, self.flight = self.flight, None
        if flight is not None:
            self.response_complete = True
            flight.cancel()

    def enter(self, load: Load, flight: Flight) -> None:
        """Note that the query has begun, and counts."""
        load.now += 1
        self.load, self.flight, self.begun = load, flight, monotonic()

    def answer(self, response: GraphQLResponse) -> None:
        """Write the answer."""
        load = self.load
        if load is not None:
            self.load = None
            load.now -= 1
            self.head.posts.meter.note("query", monotonic() - self.begun, is_whole=not response.errors)
        self.flight = None
        self.response_started = self.response_complete = True
        self.write(self, response)

    def begin(self, flight: Flight) -> None:
        """Note that the answer is being written, which takes a while."""
        self.response_complete = False
        self.flight = flight

    def end(self) -> None:
        """Note that the answer is written."""
        self.flight = None
        self.response_complete = True

    def _leave(self) -> None:
        if self.load is not None:
            self.load.now -= 1
            self.load = None


def _to_nobody(cycle: FastCycle, response: GraphQLResponse) -> None:
    """Write an answer whose client has gone."""
