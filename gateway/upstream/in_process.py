"""A subgraph that lives in this process: a strawberry schema, called without HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any

from strawberry import Schema
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError

from gateway.errors import REGISTRY
from gateway.execution.merge import copy_json
from gateway.execution.ports import RequestContext, SourceEvent, SubgraphAnswer, SubgraphFailure, SubgraphRequest

MakeContext = Callable[[RequestContext], Awaitable[Any]]
"""Makes the resolvers' context for one fetch, on the event loop."""
_GRACE_S = 0.05
"""After the deadline: what resolvers ask of others ends in time by itself, and costs its own field only."""


class InProcessSubgraph:
    """Runs fetches against a strawberry schema.

    Answers are copies, since the executor changes what it receives and resolvers may keep what they return.
    """

    def __init__(self, schema: Schema, *, make_context: MakeContext) -> None:
        self._schema = schema
        self._make_context = make_context

    async def fetch(self, request: SubgraphRequest, context: RequestContext) -> SubgraphAnswer:
        """Execute a query or mutation. Errors are in the answer, as over HTTP.

        Raises SubgraphFailure with SYSTEM_TIMEOUT, as a store may hang.
        """
        try:
            async with asyncio.timeout_at(context.deadline + _GRACE_S):
                result = await self._schema.execute(
                    request.document,
                    # strawberry takes `__typename` out of representations.
                    variable_values=copy_json(dict(request.variables)),
                    context_value=await self._make_context(context),
                    operation_name=request.operation_name,
                )
        except TimeoutError as error:
            raise SubgraphFailure("SYSTEM_TIMEOUT", "the deadline passed", is_sent=True) from error
        return SubgraphAnswer(_value(result))

    async def subscribe(self, request: SubgraphRequest, context: RequestContext) -> AsyncGenerator[SourceEvent, None]:
        """Run a subscription, an answer per event."""
        stream = await self._schema.subscribe(
            request.document,
            variable_values=copy_json(dict(request.variables)),
            context_value=await self._make_context(context),
            operation_name=request.operation_name,
        )
        if not isinstance(stream, AsyncIterator):
            raise SubgraphFailure("SYSTEM_ERROR", str(stream.errors), is_sent=True)
        try:
            async for result in stream:
                if _ends_stream(result):
                    raise _stream_failure(result)
                yield SubgraphAnswer(_value(result))
        finally:
            close = getattr(stream, "aclose", None)
            if close is not None:
                await close()

    async def aclose(self) -> None:
        """Nothing to release: the schema is not ours."""


def _ends_stream(result: ExecutionResult) -> bool:
    """Tell a source stream that was refused or broke from an event with errors: only the latter have a path."""
    if isinstance(result, PreExecutionError):
        return True
    return result.data is None and bool(result.errors) and all(error.path is None for error in result.errors or ())


def _stream_failure(result: ExecutionResult) -> SubgraphFailure:
    """Return why the stream ends, with the code that the resolver gave it."""
    for error in result.errors or ():
        match error.extensions:
            case {"code": str() as code} if code in REGISTRY:
                return SubgraphFailure(code, str(error), is_sent=True, trips_breaker=False, message=error.message)
    return SubgraphFailure("SYSTEM_ERROR", str(result.errors), is_sent=True)


def _value(result: ExecutionResult) -> dict[str, Any]:
    value: dict[str, Any] = {"data": copy_json(result.data)}
    if result.errors:
        value["errors"] = [error.formatted for error in result.errors]
    if result.extensions:
        value["extensions"] = result.extensions
    return value
