"""From a finished run to the engine's response: data, errors, and what is told of where they come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway.errors import REGISTRY
from gateway.execution.answer import CompiledOperation, answer
from gateway.execution.message import GraphQLResponse, log_errors
from gateway.execution.ports import RequestContext
from gateway.execution.run import Run
from gateway.records.provenance import FetchLog, Wanted, stale_places, told


def respond(
    compiled: CompiledOperation,
    run: Run,
    tell: Wanted | None,
    *,
    most_errors: int,
    actual_cost: Callable[[Mapping[str, Any] | None], int],
) -> GraphQLResponse:
    """Finished run → response, with what the caller wants to be told and at most so many errors."""
    data, errors = answer(compiled, run, most_errors=most_errors)
    if errors or run.context.causes is not None:
        log_errors(errors, run.context.causes, run.context.correlation_id)
    about: dict[str, Any] = {}
    if tell is not None:
        assert isinstance(run.context.observer, FetchLog)
        about = dict(told(tell, run.context.observer, compiled, run.context.reused or ()))
        if tell.cost and compiled.cost is not None:
            about["cost"] = {"estimated": compiled.cost(run.variables), "actual": actual_cost(data)}
    if run.context.reused is not None and (stale := stale_places(compiled, run.context.reused)):
        about["stale"] = stale
    if run.cursor is not None:
        about["cursor"] = run.cursor
    extensions = {"concord": about} if about or tell is not None else {}
    headers = {"X-Correlation-Id": run.context.correlation_id}
    refused = errors[0]["extensions"]["code"] if errors and run.is_write else None
    if refused in ("IDEMPOTENCY_KEY_REUSED", "IDEMPOTENCY_IN_PROGRESS") and not any((data or {}).values()):
        # Nothing was done under this key: the request as a whole is refused.
        status = REGISTRY[refused].http_status
        return GraphQLResponse(errors=errors, extensions=extensions, http_status=status, headers=headers)
    return GraphQLResponse(data=data, errors=errors, extensions=extensions, headers=headers, is_write=run.is_write)


def respond_typed(compiled: CompiledOperation, context: RequestContext, data: bytes) -> GraphQLResponse:
    """Finished typed run → response; `data` is the JSON text."""
    context.kept = None  # what is counted from here on is the response
    headers = {"X-Correlation-Id": context.correlation_id}
    stale = stale_places(compiled, context.reused) if context.reused is not None else None
    return GraphQLResponse(encoded=data, extensions={"concord": {"stale": stale}} if stale else {}, headers=headers)
