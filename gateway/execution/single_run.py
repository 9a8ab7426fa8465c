"""Run a typed plan of one fetch, as `typed_run.py` runs those of several: the answer of the fetch is the client's.

What is the same for every request of a document stands in one `Answering`; what is left is one object for each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from gateway.execution.answering import Answering
from gateway.execution.message import GraphQLResponse
from gateway.execution.ports import Flight, RequestContext, SubgraphAnswer, SubgraphRequest, encode
from gateway.execution.run import Landed
from gateway.execution.typed_fetch import TypedFetch
from gateway.execution.typed_generate import Irregular


class SingleRun(Struct, eq=False):
    """One execution of a typed plan of one fetch whose answer is written as it was read."""

    answering: Answering
    fetch: TypedFetch
    variables: Mapping[str, Any]
    context: RequestContext
    done: Callable[[GraphQLResponse], None] | None
    """None once it is told, or called off."""
    request: SubgraphRequest | None = None
    flight: Flight | asyncio.Task[None] | None = None
    landed: dict[tuple[int, bytes], Landed] | None = None
    """Where the general way has to go on: what came so far."""
    is_late: bool = False

    def start(self) -> None:
        """Begin, unless it was called off."""
        if self.done is None:
            return
        fetch, given = self.fetch, self.variables
        try:
            variables = {name: given[name] for name in fetch.variables if name in given} if fetch.variables else {}
            self.request = request = fetch.request(variables, 0)
            self.flight = fetch.begin(request, self.context, self.land)
        except Exception as error:  # noqa: BLE001 - a bug here costs time, not the answer
            self._hand_over(error)

    def land(self, outcome: SubgraphAnswer | Exception) -> None:
        """Tell what became of the fetch."""
        done, answering, fetch = self.done, self.answering, self.fetch
        if done is None:
            return
        try:
            if isinstance(outcome, Exception):
                raise Irregular
            value = outcome.value
            data = encode(value if value.__class__ is fetch.data else fetch.typed(value))
        except Exception as error:  # noqa: BLE001 - as in start
            assert self.request is not None
            self.landed = {(fetch.id, self.request.body): outcome}
            self._hand_over(error)
            return
        self.done = self.flight = None
        self.context.kept = None  # what is counted from here on is the response
        answering.typed.irregular = 0  # a plan without slices has nothing else to note
        if self.context.reused is None:
            done(GraphQLResponse(encoded=data))
        else:
            done(answering.respond(answering.compiled, self.context, data))

    def cancel(self) -> None:
        """Stop whatever is in flight; `done` is not called."""
        self.done = None
        if self.flight is not None:
            self.flight.cancel()

    def _hand_over(self, error: Exception) -> None:
        if not isinstance(error, Irregular):
            self.context.note(system="gateway", fault=error)  # told with the answer's other causes, in one line
        if self.landed is None:
            self.landed = {}
        self.flight = asyncio.get_running_loop().create_task(self._go_on())

    async def _go_on(self) -> None:
        response = await self.answering.go_on(self.answering.compiled, self)
        done, self.done, self.flight = self.done, None, None
        if done is not None:
            done(response)
