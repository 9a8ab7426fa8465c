"""The gateway's own graph as a subgraph client, whose events are only resolved when somebody needs their fields."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
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
        # Ten thousand subscriptions that can do without their executors don't keep them.
        kept = executor if plain is None else None
        del executor, source
        async with aclosing(cast("AsyncGenerator[Streamed, None]", stream)) as events:
            while True:
                event = await _next(events)
                if event is None:
                    return
                if plain is not None and isinstance(event, StreamedEvent):
                    answer = partial(_write, plain, event)
                else:
                    general = kept or self._executor(document, request, graph_context)
                    assert not isinstance(general, list)
                    answer = partial(_resolve, general, event)
                key = None if isinstance(event, Gap) else (event.cursor, event.coalesced)
                yield Announced(key, event.cursor, answer)

    def _executor(
        self, document: DocumentNode, request: SubgraphRequest, context: GraphContext
    ) -> Executor[Any] | list[GraphQLError]:
        return ExecutorThrowingOnIncremental.build(
            self._graph, document, context_value=context, raw_variable_values=copy_json(dict(request.variables))
        )


async def _write(plain: PlainEvent, event: StreamedEvent) -> SubgraphAnswer:
    return SubgraphAnswer({"data": plain(event)})


async def _resolve(executor: Executor[Any], event: Streamed) -> SubgraphAnswer:
    """Resolve the event's fields, as a query does with the event as its root.

    The stream's executor has coerced the variables and knows the fields; unlike a new one it leaves no cycles behind.
    """
    root = LifecycleEvent.of_gap(event) if isinstance(event, Gap) else LifecycleEvent.of(event)
    executed = executor.build_per_event_executor(root).execute_operation(False)
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
