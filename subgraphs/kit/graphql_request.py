"""Reads a GraphQL request from an HTTP body, or says what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request


class RequestRefusedError(Exception):
    """The request as a whole is refused with an HTTP status and a code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def to_graphql_error(self, system: str) -> dict[str, Any]:
        """Return the refusal as an entry of `errors`."""
        details = {"code": self.code, "system": system, "retryable": False}
        return {"message": self.message, "extensions": details}


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphQLRequest:
    """One operation to execute."""

    query: str
    operation_name: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)


async def read_body(request: Request, *, max_bytes: int) -> bytes:
    """Return the request's body. Raises RequestRefusedError (413) beyond `max_bytes`, whatever the headers promise."""
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > max_bytes:
                raise RequestRefusedError(413, "PAYLOAD_TOO_LARGE", f"The body is larger than {max_bytes} bytes.")
    except ClientDisconnect as error:
        raise RequestRefusedError(400, "BAD_REQUEST", "The body ended early.") from error
    return bytes(body)


def parse_graphql_request(content_type: str, body: bytes) -> GraphQLRequest:
    """Return the operation in a JSON body. Raises RequestRefusedError (400, 415). https://graphql.github.io/graphql-over-http/"""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise RequestRefusedError(415, "UNSUPPORTED_MEDIA_TYPE", "Send the body as application/json.")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestRefusedError(400, "BAD_REQUEST", "The body is not JSON.") from error
    match document:
        case {"query": str() as query}:
            operation_name, variables = document.get("operationName"), document.get("variables")
        case list():
            raise RequestRefusedError(400, "BATCHING_NOT_SUPPORTED", "Send one operation per request.")
        case _:
            raise RequestRefusedError(400, "BAD_REQUEST", "The body is an object with a `query` string.")
    if operation_name is not None and not isinstance(operation_name, str):
        raise RequestRefusedError(400, "BAD_REQUEST", "`operationName` is a string or null.")
    if variables is not None and not isinstance(variables, dict):
        raise RequestRefusedError(400, "BAD_REQUEST", "`variables` is an object or null.")
    return GraphQLRequest(query=query, operation_name=operation_name or None, variables=variables or {})
