"""Refusals of the doors for events, shaped like every other error."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import GatewayError


def refusal_response(error: GatewayError, request: Request) -> Response:
    """Return the answer to a request that was refused."""
    response = json_response(error.http_status, {"errors": [error.to_graphql_error()]})
    response.headers.update(error.headers)
    if correlation_id := request.headers.get("x-correlation-id"):
        response.headers["X-Correlation-Id"] = correlation_id[:200]
    return response


def json_response(status: int, content: dict[str, Any]) -> Response:
    """Return an answer with a JSON body."""
    return Response(orjson.dumps(content), status, media_type="application/json")
