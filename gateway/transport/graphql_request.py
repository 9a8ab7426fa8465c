"""Read a GraphQL request out of JSON or a query string: the one place where the wire's shapes are checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import orjson

from gateway.errors import GatewayError
from gateway.execution.message import GraphQLRequest
from gateway.transport.media_type import parse_media_type
from gateway.transport.settings import TransportSettings

_PARAMETERS = ("query", "operationName", "variables", "extensions")


def read_post(body: bytes, headers: Mapping[str, str], settings: TransportSettings) -> GraphQLRequest:
    """Return the request in a POST's body, whose content type has been checked.

    <https://graphql.github.io/graphql-over-http/draft/#sec-POST>
    Raises `GatewayError` with BAD_REQUEST or BATCHING_NOT_SUPPORTED.
    """
    return read_request(parse_json(body), headers, settings)


def check_content_type(headers: Mapping[str, str]) -> None:
    """Refuse a body that isn't JSON in UTF-8 with UNSUPPORTED_MEDIA_TYPE."""
    given = headers.get("content-type", "")
    if given == "application/json":
        return
    content_type = parse_media_type(given)
    if content_type.name != "application/json":
        raise GatewayError("UNSUPPORTED_MEDIA_TYPE", headers={"Accept-Post": "application/json"})
    if content_type.parameters.get("charset", "utf-8") not in {"utf-8", "utf8"}:
        raise GatewayError(
            "UNSUPPORTED_MEDIA_TYPE", "Send the body in UTF-8.", headers={"Accept-Post": "application/json"}
        )


def read_get(query_string: bytes, headers: Mapping[str, str], settings: TransportSettings) -> GraphQLRequest:
    """Return the request in a GET's query string, read-only. <https://graphql.github.io/graphql-over-http/draft/#sec-GET>

    Raises `GatewayError` with BAD_REQUEST.
    """
    try:
        pairs = parse_qsl(query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20)
    except ValueError:
        raise GatewayError("BAD_REQUEST", "The query string is not percent-encoded UTF-8.") from None
    payload: dict[str, Any] = {}
    for name, value in pairs:
        if name not in _PARAMETERS:
            continue
        if name in payload:
            raise GatewayError("BAD_REQUEST", f"`{name}` is given twice.")
        if name in {"variables", "extensions"}:
            payload[name] = parse_json(value.encode()) if value else None
        else:
            payload[name] = value or None
    return read_request(payload, headers, settings, is_read_only=True)


def parse_json(text: bytes) -> object:
    """Return the JSON value in `text`. Raises `GatewayError` with BAD_REQUEST."""
    try:
        value: object = orjson.loads(text)
    except (orjson.JSONDecodeError, RecursionError):
        raise GatewayError("BAD_REQUEST", "The request is not JSON in UTF-8.") from None
    return value


def read_request(
    payload: object, headers: Mapping[str, str], settings: TransportSettings, *, is_read_only: bool = False
) -> GraphQLRequest:
    """Return the request that a JSON value describes. Unknown members are ignored, as the specification asks.

    Raises `GatewayError` with BAD_REQUEST or BATCHING_NOT_SUPPORTED.
    """
    match payload:
        case dict():
            pass
        case list():
            raise GatewayError("BATCHING_NOT_SUPPORTED")
        case _:
            raise GatewayError("BAD_REQUEST", "The request must be a JSON object with a `query` string.")
    query, name = payload.get("query"), payload.get("operationName")
    extensions = _map(payload, "extensions", settings.max_json_depth)
    if not isinstance(query, str) and not (query is None and extensions):
        raise GatewayError("BAD_REQUEST", "`query` must be a string.")
    if name is not None and not isinstance(name, str):
        raise GatewayError("BAD_REQUEST", "`operationName` must be a string.")
    if name is not None and len(name) > settings.max_operation_name:
        raise GatewayError("BAD_REQUEST", f"`operationName` is longer than {settings.max_operation_name} characters.")
    return GraphQLRequest(
        query=query,
        operation_name=name or None,
        variables=_map(payload, "variables", settings.max_json_depth),
        extensions=extensions,
        headers=headers,
        is_read_only=is_read_only,
    )


def _map(payload: Mapping[str, Any], name: str, max_depth: int) -> Mapping[str, Any]:
    value = payload.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise GatewayError("BAD_REQUEST", f"`{name}` must be a JSON object.")
    level: list[Any] = [value]
    for _ in range(max_depth):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return value
    raise GatewayError("BAD_REQUEST", f"`{name}` is nested deeper than {max_depth} levels.")
