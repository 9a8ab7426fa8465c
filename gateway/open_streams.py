"""Subscriptions that are open: where each waits, by what it is answered, and how it goes on after a reload.

A reload builds another engine. What is open is carried over to it: its source stream goes on, and from the next event on
the new graph's plan answers. A subscription whose document the new graph refuses (a field is gone), or whose source
another subgraph owns by now, is ended with SCHEMA_RELOADED.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Hashable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Protocol

from gateway.access.caller import Caller
from gateway.errors import GatewayError, RequestRefused
from gateway.execution.answer import CompiledOperation, stream_refusal
from gateway.execution.execute import CompiledSubscription
from gateway.execution.message import GraphQLRequest, GraphQLResponse, refusal
from gateway.execution.ports import RequestContext, SourceEvent, SubgraphFailure

_LOG = logging.getLogger("concord.engine")
_AT_ONCE = 100
"""Subscriptions carried over to another engine before other work gets its turn."""


@dataclass(slots=True, eq=False, kw_only=True)
class OpenStream:
    """One open subscription."""

    request: GraphQLRequest
    caller: Caller
    correlation_id: str
    compiled: CompiledOperation
    variables: Mapping[str, Any]
    equal: Hashable
    """Equal for subscribers that may read each other's answers."""
    place: OpenStreams | None = field(default=None, init=False)
    """Where it is open."""
    is_over: bool = field(default=False, init=False)
    """Whether the graph that is served can't answer it any longer."""
    _waiting: asyncio.Task[Any] | None = field(default=None, init=False)
    _answers: int = field(default=0, init=False)

    def next_id(self) -> str:
        """Return a correlation id for the next answer: what is wrong with it is found by that, and nothing else is."""
        self._answers += 1
        return f"{self.correlation_id}:{self._answers}"

    async def next(self, source: AsyncGenerator[SourceEvent, None]) -> SourceEvent | None:
        """Return the next event of the source; None where it is complete, or this is over."""
        if self.is_over:
            return None
        self._waiting = asyncio.current_task()
        try:
            return await anext(source, None)
        except asyncio.CancelledError:
            # Whoever cancels the task as well, such as for a client that left, still has to hear of it.
            if self.is_over and self._waiting is not None and self._waiting.uncancel() == 0:
                return None
            raise
        finally:
            self._waiting = None

    def end(self) -> None:
        """Let the one who waits for the next event know that there is none to come."""
        if not self.is_over:
            self.is_over = True
            if self._waiting is not None:
                self._waiting.cancel()

    def goes_on_with(self, compiled: CompiledOperation, announcing: frozenset[str]) -> bool:
        """Tell whether the source stream that is open serves another graph's plan.

        Events of `announcing` subgraphs are answered by whatever selection they are asked for.
        """
        old, new = self.compiled.plan.root, compiled.plan.root
        if not isinstance(old, CompiledSubscription) or not isinstance(new, CompiledSubscription):
            return False
        before, after = old.primary.fetch, new.primary.fetch
        is_same = (before.document, before.variables, before.output_rewrites) == (
            *(after.document, after.variables),
            after.output_rewrites,
        )
        return before.subgraph == after.subgraph and (is_same or before.subgraph in announcing)


class AnswersStreams(Protocol):
    """What an engine does for the subscriptions that are open at it."""

    def source(self, stream: OpenStream, context: RequestContext) -> AsyncGenerator[SourceEvent, None]:
        """Return the source stream. Iterating raises SubgraphFailure."""
        ...

    async def answer_event(self, stream: OpenStream, event: SourceEvent) -> GraphQLResponse:
        """Return what the client is told of an event."""
        ...

    async def prepare_again(self, stream: OpenStream) -> tuple[CompiledOperation, Mapping[str, Any]]:
        """Return what the subscription is over this engine's graph. Raises what refuses it."""
        ...


class OpenStreams:
    """The subscriptions that one engine answers."""

    def __init__(self, engine: AnswersStreams, announcing: frozenset[str]) -> None:
        """Events of `announcing` subgraphs are answered by whatever selection they are asked for."""
        self.engine = engine
        self._announcing = announcing
        self.streams: set[OpenStream] = set()
        self.successor: OpenStreams | None = None

    async def events(self, stream: OpenStream, context: RequestContext) -> AsyncGenerator[GraphQLResponse, None]:
        """Yield what the client is told, event by event, until the source is complete or fails."""
        stream.place = self
        self.streams.add(stream)
        try:
            while (following := stream.place.successor) is not None and not stream.is_over:
                await following.take_over(stream)  # a reload came between the request and its first step
            async with aclosing(stream.place.engine.source(stream, context)) as source:
                while (event := await stream.next(source)) is not None:
                    yield await stream.place.engine.answer_event(stream, event)
            if stream.is_over:
                yield refusal(GatewayError("SCHEMA_RELOADED"), stream.correlation_id)
        except SubgraphFailure as failed:
            _LOG.warning("stream_failed", extra={"correlation_id": stream.correlation_id, "reason": str(failed)})
            yield stream_refusal(stream.compiled, failed, stream.correlation_id)
        except Exception as error:  # noqa: BLE001 - the edge of a stream: a bug becomes an answer and a log line
            yield refusal(GatewayError("INTERNAL_SERVER_ERROR"), stream.correlation_id, cause=error)
        finally:
            stream.place.streams.discard(stream)

    async def hand_over(self, successor: OpenStreams) -> None:
        """Let what is open here, or opens yet, go on at another engine, or end where it can't."""
        self.successor = successor
        for number, stream in enumerate(tuple(self.streams), 1):
            await successor.take_over(stream)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)

    async def take_over(self, stream: OpenStream) -> None:
        """Answer another engine's open subscription from here on, or end it. Never raises."""
        try:
            compiled, variables = await self.engine.prepare_again(stream)
        except (GatewayError, RequestRefused) as refused:
            _LOG.info("stream_ended", extra={"reason": str(refused)})
            stream.end()
            return
        except Exception as error:  # noqa: BLE001 - a bug costs a subscription, which begins again, not the reload
            _LOG.error("stream_not_moved", exc_info=error)
            stream.end()
            return
        if stream.place is None or stream not in stream.place.streams:
            return  # it ended meanwhile
        if not stream.goes_on_with(compiled, self._announcing):
            stream.end()
            return
        stream.place.streams.discard(stream)
        stream.place, stream.compiled, stream.variables = self, compiled, variables
        self.streams.add(stream)
