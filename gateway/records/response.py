"""From a finished run to the engine's response: data, errors, and what is told of where they come from."""

from __future__ import annotations

from gateway.execution.answer import CompiledOperation
from gateway.execution.message import GraphQLResponse
from gateway.execution.ports import RequestContext
from gateway.records.provenance import stale_places


def respond_typed(compiled: CompiledOperation, context: RequestContext, data: bytes) -> GraphQLResponse:
    """Finished typed run → response; `data` is the JSON text."""
    headers = {"X-Correlation-Id": context.correlation_id}
    stale = stale_places(compiled, context.reused) if context.reused is not None else None
    return GraphQLResponse(encoded=data, extensions={"concord": {"stale": stale}} if stale else {}, headers=headers)
