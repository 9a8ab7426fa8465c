"""The gateway's own graph as a subgraph client, whose events are only resolved when somebody needs their fields."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from functools import lru_cache, partial
from inspect import isawaitable
from typing import Any, cast

from graphql import DocumentNode, ExecutionResult, Executor, GraphQLError, create_source_event_stream, parse
from graphql.execution.executor_throwing_on_incremental import ExecutorThrowingOnIncremental

from gateway.errors import REGISTRY
from gateway.events.source_stream import Gap, Streamed, StreamedEvent
from gateway.execution.merge import copy_json
from gateway.execution.ports import (
    Announced,
    RequestContext,
    SourceEvent,
    SubgraphAnswer,
    SubgraphFailure,
    SubgraphRequest,
)
from gateway.graph.context import GraphContext
from gateway.graph.lifecycle_event import LifecycleEvent
from gateway.graph.plain_event import PlainEvent, compile_plain_event
from gateway.graph.schema import GraphSchema, create_schema
from gateway.upstream.in_process import InProcessSubgraph, MakeContext


class GatewayGraph(InProcessSubgraph):
    """Answers queries and mutations as any subgraph in this process, and announces events instead of answering them.

    Ten thousand subscribers of one operation cost ten thousand places in the log, but each event is resolved once.
    """

    def __init__(self, *, make_context: MakeContext) -> None:
        schema: GraphSchema = create_schema()
        super().__init__(schema, make_context=make_context)
        self._graph = schema.graphql_schema

    async def subscribe(self, request: SubgraphRequest, context: RequestContext) -> AsyncGenerator[SourceEvent, None]:
        """Yield what announces each event; its cursor and place in the log make it equal to others."""
        document, plain = _parse(request.document)
        graph_context: GraphContext = await self._make_context(context)
        graph_context.announces = True
        executor = self._executor(document, request, graph_context)
        if isinstance(executor, list):
            raise _refused(executor)
        source = create_source_event_stream(executor)
        stream = await source if isawaitable(source) else source
        if isinstance(stream, ExecutionResult):
            raise _refused(stream.errors or [])
        resolve = _Resolver(partial(self._executor, context=graph_context))
        if plain is None:  # ten thousand subscriptions that can do without executors keep none
            resolve.keep(request.document, executor)
        del executor, source
        async with aclosing(cast("AsyncGenerator[Streamed, None]", stream)) as events:
            while True:
                event = await _next(events)
                if event is None:
                    return
                key = None if isinstance(event, Gap) else (event.cursor, event.coalesced)
                yield Announced(key, event.cursor, partial(resolve.answer, event))

    def _executor(
        self, document: DocumentNode, request: SubgraphRequest, context: GraphContext
    ) -> Executor[Any] | list[GraphQLError]:
        return ExecutorThrowingOnIncremental.build(
            self._graph, document, context_value=context, raw_variable_values=copy_json(dict(request.variables))
        )


class _Resolver:
    """Resolves the fields of one stream's events."""

    __slots__ = ("_build", "_document", "_executor")

    def __init__(self, build: Callable[[DocumentNode, SubgraphRequest], Executor[Any] | list[GraphQLError]]) -> None:
        self._build = build
        self._document: str | None = None
        self._executor: Executor[Any] | None = None

    def keep(self, document: str, executor: Executor[Any]) -> None:
        """Use an executor that is there: it has coerced the variables, and unlike a new one leaves no cycles behind."""
        self._document, self._executor = document, executor

    async def answer(self, event: Streamed, request: SubgraphRequest) -> SubgraphAnswer:
        """Answer a request with the event as its root."""
        document, plain = _parse(request.document)
        if plain is not None and isinstance(event, StreamedEvent):
            return SubgraphAnswer({"data": plain(event)})
        if self._document != request.document or self._executor is None:
            built = self._build(document, request)
            if isinstance(built, list):
                raise _refused(built)
            self.keep(request.document, built)
        assert self._executor is not None
        root = LifecycleEvent.of_gap(event) if isinstance(event, Gap) else LifecycleEvent.of(event)
        executed = self._executor.build_per_event_executor(root).execute_operation(False)
        result = await executed if isawaitable(executed) else executed
        assert isinstance(result, ExecutionResult)
        value: dict[str, Any] = {"data": copy_json(result.data)}
        if result.errors:
            value["errors"] = [error.formatted for error in result.errors]
        return SubgraphAnswer(value)


async def _next(events: AsyncIterator[Streamed]) -> Streamed | None:
    try:
        return await anext(events, None)
    except GraphQLError as error:
        raise _refused([error]) from error


@lru_cache(maxsize=500)
def _parse(document: str) -> tuple[DocumentNode, PlainEvent | None]:
    parsed = parse(document, no_location=True)
    return parsed, compile_plain_event(parsed)


def _refused(errors: Sequence[GraphQLError]) -> SubgraphFailure:
    """Return why the stream does not begin or go on, with the code that the resolver gave it."""
    for error in errors:
        match error.extensions:
            case {"code": str() as code} if code in REGISTRY:
                return SubgraphFailure(code, str(error), is_sent=True, trips_breaker=False, message=error.message)
    return SubgraphFailure("SYSTEM_ERROR", str(errors), is_sent=True)
