"""Queries over typed objects: awaited, or begun and awaited by nobody, and what follows where that isn't enough."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from gateway.execution.answer import CompiledOperation
from gateway.execution.message import GraphQLResponse
from gateway.execution.ports import RequestContext
from gateway.execution.run import Run
from gateway.execution.typed_plan import TypedOperation
from gateway.execution.typed_run import TypedRun

Respond = Callable[[CompiledOperation, RequestContext, bytes], GraphQLResponse]
"""Makes the response of the JSON of `data`."""

GoOn = Callable[[CompiledOperation, TypedRun], Coroutine[Any, Any, GraphQLResponse]]


def hand_over(operation: TypedOperation, typed: TypedRun, run: Run) -> None:
    """Give a run what came already, or is under way, in a typed one that couldn't go on."""
    if not typed.is_late:
        operation.was_irregular()
    run.landed, run.is_late = typed.landed, typed.is_late


async def execute_typed(operation: TypedOperation, run: Run) -> bytes | None:
    """Execute over typed objects: return the JSON of `data`, or None where `run` has to go on in the general way."""
    plan = operation.choose(run.variables)
    if plan is None:
        return None
    ended: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
    typed = TypedRun(plan, run.variables, run.context, ended.set_result)
    typed.start()
    try:
        data = await ended
    except asyncio.CancelledError:
        typed.cancel()
        raise
    if data is None:
        hand_over(operation, typed, run)
    else:
        operation.was_regular()
    return data


class Begun:
    """A query that was begun: first over typed objects, then, where that isn't enough, in a task."""

    __slots__ = ("_compiled", "_done", "_general", "_respond", "flight")

    def __init__(
        self, compiled: CompiledOperation, respond: Respond, go_on: GoOn, done: Callable[[GraphQLResponse], None]
    ) -> None:
        """`go_on` executes in the general way what couldn't be finished; `done` is told the answer."""
        self._respond = respond
        self._general = go_on
        self._compiled = compiled
        self._done = done
        self.flight: TypedRun | asyncio.Task[None] | None = None

    def land(self, data: bytes | None) -> None:
        """Take the typed run's end."""
        typed, self.flight = self.flight, None
        assert isinstance(typed, TypedRun)
        if data is None:
            self.flight = asyncio.get_running_loop().create_task(self._go_on(typed))
            return
        assert self._compiled.typed is not None
        self._compiled.typed.was_regular()
        self._done(self._respond(self._compiled, typed.context, data))

    async def _go_on(self, typed: TypedRun) -> None:
        response = await self._general(self._compiled, typed)
        self.flight = None
        self._done(response)

    def cancel(self) -> None:
        """Stop whatever is under way."""
        if self.flight is not None:
            self.flight.cancel()
