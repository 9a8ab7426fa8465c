"""Refusals of the doors for events, shaped like every other error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from gateway.errors import GatewayError
from gateway.execution.correlation import correlation_id
from gateway.execution.message import refusal

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


def refusal_response(error: GatewayError, request: Request) -> Response:
    """Return the answer to a request that was refused."""
    refused = refusal(error, correlation_id(request.headers.get("x-correlation-id")))
    response = json_response(refused.http_status, refused.payload())
    response.headers.update(refused.headers)
    return response


def json_response(status: int, content: dict[str, Any]) -> Response:
    """Return an answer with a JSON body."""
    from starlette.responses import Response  # noqa: PLC0415 - loaded for the first who knocks at one of these doors

    return Response(orjson.dumps(content), status, media_type="application/json")
