"""A subgraph as an HTTP server: POST /graphql, GET /health and /ready, the vendor's webhooks, and the loops behind them.

`/health` says that the process serves. `/ready` says that identity has been told all customers of its systems, once; until
then it is 503 with a SYSTEM_SYNCHRONISING for each that is still read, and answers lack what those have.

    @asynccontextmanager
    async def start(settings: CrmSettings) -> AsyncIterator[Running]:
        async with VendorClient(…) as client, background(outbox.deliver_forever):
            yield Running(context=lambda: CrmContext(…loaders…), routes=(webhook_route(…),))

    def main() -> None:
        run_subgraph("crm", schema, CrmSettings, start)

`python -m subgraphs.crm.app` serves; `--print-schema` prints the SDL instead.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import orjson
from fastapi import FastAPI, Request, Response
from graphql import GraphQLError, OperationDefinitionNode, parse
from pydantic import ValidationError
from starlette.routing import BaseRoute
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError

from subgraphs.kit.caller import HEADER as CALLER_HEADER
from subgraphs.kit.caller import Caller, CallerInvalidError, CallerReader
from subgraphs.kit.current_request import CurrentRequest, serving
from subgraphs.kit.graphql_request import GraphQLRequest, RequestRefusedError, parse_graphql_request, read_body
from subgraphs.kit.process import serve
from subgraphs.kit.settings import SubgraphSettings
from subgraphs.kit.subgraph_schema import SubgraphSchema, print_subgraph_schema
from subgraphs.kit.system_error import FieldError
from subgraphs.kit.vendor_client import monotonic_deadline

_log = logging.getLogger(__name__)
SettingsT = TypeVar("SettingsT", bound=SubgraphSettings)
_MAX_DEADLINE_MS = 600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What a started subgraph serves with."""

    context: Callable[[], Any]
    """Makes the resolvers' context, once per request and on the event loop, so that it can hold DataLoaders."""
    routes: Sequence[BaseRoute] = ()
    """Further routes, such as the vendor's webhooks."""
    synchronising: Sequence[Callable[[], Awaitable[FieldError | None]]] = ()
    """Each tells what keeps a system from being complete, or None; see `first_synchronisation.py`."""


Start = Callable[[SettingsT], AbstractAsyncContextManager[Running]]


def create_app(name: str, schema: SubgraphSchema, settings: SettingsT, start: Start[SettingsT]) -> FastAPI:
    """Return the subgraph's application. `start` is entered before the first request and left after the last."""
    running: Running | None = None
    callers = CallerReader(settings.signing_secret.get_secret_value(), name)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        nonlocal running
        async with start(settings) as running:
            app.router.routes.extend(running.routes)
            yield

    app = FastAPI(title=f"concord {name}", lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None)

    @app.get("/health")
    async def health() -> Response:
        return _json({"status": "ok"})

    @app.get("/ready")
    async def ready() -> Response:
        assert running is not None
        try:
            pending = [error for look in running.synchronising if (error := await look()) is not None]
        except FieldError as error:  # the store does not say
            pending = [error]
        if not pending:
            return _json({"status": "ready"})
        errors = [{"message": error.message, "extensions": {"system": name, **error.extensions}} for error in pending]
        return _json({"errors": errors}, 503, {"retry-after": "1"})

    @app.post("/graphql")
    async def graphql(request: Request) -> Response:
        assert running is not None
        try:
            caller = _caller(request.headers.get(CALLER_HEADER), callers, is_required=settings.require_caller)
            body = await read_body(request, max_bytes=settings.max_body_bytes)
            operation = parse_graphql_request(request.headers.get("content-type", ""), body)
        except RequestRefusedError as refusal:
            return _json({"errors": [refusal.to_graphql_error(name)]}, status=refusal.status)
        current = _current_request(request.headers, caller)
        with serving(current):
            return _json(*await _execute(name, schema, operation, running.context(), current))

    @app.exception_handler(404)
    async def unknown_path(_request: Request, _error: Exception) -> Response:
        refusal = RequestRefusedError(404, "NOT_FOUND", "There is nothing at this path.")
        return _json({"errors": [refusal.to_graphql_error(name)]}, refusal.status)

    @app.exception_handler(405)
    async def wrong_method(_request: Request, error: Exception) -> Response:
        allowed = dict(getattr(error, "headers", None) or {})
        refusal = RequestRefusedError(405, "METHOD_NOT_ALLOWED", f"Use {allowed.get('Allow', 'another method')}.")
        return _json({"errors": [refusal.to_graphql_error(name)]}, refusal.status, allowed)

    @app.exception_handler(Exception)
    async def failed(_request: Request, _error: Exception) -> Response:
        # The server logs it with its trace; the client only learns that it is our fault.
        refusal = RequestRefusedError(500, "INTERNAL_SERVER_ERROR", "An error of our own.")
        return _json({"errors": [refusal.to_graphql_error(name)]}, refusal.status)

    return app


async def _execute(
    name: str, schema: SubgraphSchema, operation: GraphQLRequest, context: Any, current: CurrentRequest
) -> tuple[Any, int]:
    refusal = RequestRefusedError(400, "OPERATION_RESOLUTION_FAILURE", "Name one operation of the document.")
    if operation.operation_name is None and _operations(operation.query) > 1:
        return {"errors": [refusal.to_graphql_error(name)]}, 400
    try:
        result = await schema.execute(
            operation.query,
            variable_values=dict(operation.variables),
            context_value=context,
            operation_name=operation.operation_name,
        )
    except (CannotGetOperationTypeError, InvalidOperationTypeError):
        return {"errors": [refusal.to_graphql_error(name)]}, 400
    answer: dict[str, Any] = {}
    errors = [_print_error(name, error) for error in result.errors or ()]
    for path, short in current.shortcomings:
        errors.append({"message": short.message, "path": path, "extensions": {"system": name, **short.extensions}})
    if errors:
        answer["errors"] = errors
    was_executed = result.data is not None or any(error.path for error in result.errors or ())
    if was_executed:
        answer["data"] = result.data
    answer["extensions"] = {"concord": {"vendorRequests": dict(current.vendor_requests)}}
    return answer, 200 if was_executed else 400


@lru_cache(maxsize=2000)
def _operations(query: str) -> int:
    """Count a document's operations; one that can't be parsed has none, as its execution will say."""
    try:
        document = parse(query, no_location=True)
    except GraphQLError:
        return 0
    return sum(isinstance(definition, OperationDefinitionNode) for definition in document.definitions)


def _print_error(name: str, error: GraphQLError) -> dict[str, Any]:
    """Return the error's entry; a bug's own words stay in the log."""
    entry: dict[str, Any] = {"message": error.message[:300]}
    if error.locations:
        entry["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
    if error.path:
        entry["path"] = error.path
    match error.original_error:
        case FieldError() as expected:
            entry["extensions"] = {"system": name, **expected.extensions}
        case None | GraphQLError():
            code = _request_code(error)
            entry["extensions"] = {"code": code, "system": name, "retryable": False}
        case _:
            entry["message"] = "An error of our own."
            entry["extensions"] = {"code": "INTERNAL_SERVER_ERROR", "system": name, "retryable": False}
    return entry


def _request_code(error: GraphQLError) -> str:
    if error.path:
        # Located errors of graphql-core itself: an argument that a scalar refused, or a resolver that broke its type.
        return "BAD_USER_INPUT" if error.nodes and "argument" in error.message.lower() else "INTERNAL_SERVER_ERROR"
    if error.message.startswith("Syntax Error"):
        return "GRAPHQL_PARSE_FAILED"
    # graphql-core names the place of whatever breaks its rules; a scalar that refuses a literal names none.
    is_value = error.nodes is None or error.message.startswith("Variable ")
    return "BAD_USER_INPUT" if is_value else "GRAPHQL_VALIDATION_FAILED"


def _caller(header: str | None, callers: CallerReader, *, is_required: bool) -> Caller | None:
    """Return for whom the gateway asks. A header that isn't the gateway's is refused, required or not."""
    if header is None and not is_required:
        return None
    try:
        return callers.read(header or "")
    except CallerInvalidError as error:
        raise RequestRefusedError(
            401, "UNAUTHENTICATED", "The gateway's X-Concord-Caller is missing or not valid."
        ) from error


def _current_request(headers: Mapping[str, str], caller: Caller | None) -> CurrentRequest:
    left = headers.get("x-concord-deadline-ms", "")
    known = left.isascii() and left.isdigit() and len(left) < 10
    return CurrentRequest(
        deadline=monotonic_deadline(min(int(left), _MAX_DEADLINE_MS)) if known else None,
        correlation_id=headers.get("x-correlation-id"),
        idempotency_key=headers.get("idempotency-key"),
        authorization=headers.get("authorization"),
        caller=caller,
    )


def _json(answer: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(answer), status_code=status, headers=headers, media_type="application/json")


def run_subgraph(
    name: str,
    schema: SubgraphSchema,
    settings_type: type[SettingsT],
    start: Start[SettingsT],
    arguments: Sequence[str] | None = None,
) -> None:
    """Serve the subgraph as this process, or print its SDL for `--print-schema`. Ends by SystemExit."""
    parser = argparse.ArgumentParser(prog=f"python -m subgraphs.{name}.app", description=f"The {name} subgraph.")
    parser.add_argument("--print-schema", action="store_true", help="print the SDL and stop")
    if parser.parse_args(arguments).print_schema:
        sys.stdout.write(print_subgraph_schema(schema))
        raise SystemExit(0)
    try:
        settings = settings_type()
    except ValidationError as error:
        prefix = settings_type.model_config.get("env_prefix", "")
        for problem in error.errors(include_input=False, include_url=False):
            sys.stderr.write(f"{prefix}{'_'.join(map(str, problem['loc'])).upper()}: {problem['msg']}\n")
        raise SystemExit(2) from error
    raise SystemExit(serve(create_app(name, schema, settings, start), host=settings.host, port=settings.port))
