"""Queries over typed objects: awaited, or begun and awaited by nobody, and what follows where that isn't enough."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from gateway.execution.answering import Answering, HandedOver
from gateway.execution.message import GraphQLResponse
from gateway.execution.ports import RequestContext
from gateway.execution.run import Run
from gateway.execution.typed_operation import TypedOperation
from gateway.execution.typed_plan import TypedPlan
from gateway.execution.typed_run import TypedRun


def hand_over(operation: TypedOperation, typed: HandedOver, run: Run) -> None:
    """Give a run what came already, or is under way, in a typed one that couldn't go on."""
    if not typed.is_late:
        operation.was_irregular()
    run.landed, run.is_late = typed.landed or {}, typed.is_late


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
    """A query that `start` begins, whose `done` is told the answer, later, however it went: first over typed objects, then, where that isn't enough, in a task."""

    __slots__ = ("_answering", "_done", "_flight", "start")

    def __init__(
        self,
        answering: Answering,
        plan: TypedPlan,
        variables: Mapping[str, Any],
        context: RequestContext,
        done: Callable[[GraphQLResponse], None],
    ) -> None:
        self._answering = answering
        self._done = done
        run = TypedRun(plan, variables, context, self._land)
        self.start = run.start
        self._flight: TypedRun | asyncio.Task[None] | None = run

    def _land(self, data: bytes | None) -> None:
        """Take the typed run's end."""
        typed, self._flight = self._flight, None
        assert isinstance(typed, TypedRun)
        answering = self._answering
        if data is None:
            self._flight = asyncio.get_running_loop().create_task(self._go_on(typed))
            return
        answering.typed.was_regular()
        self._done(answering.respond(answering.compiled, typed.context, data))

    async def _go_on(self, typed: TypedRun) -> None:
        response = await self._answering.go_on(self._answering.compiled, typed)
        self._flight = None
        self._done(response)

    def cancel(self) -> None:
        """Stop whatever is under way."""
        if isinstance(self._flight, TypedRun):
            self._flight.context.kept = None  # whatever else still names the context
        if self._flight is not None:
            self._flight.cancel()
