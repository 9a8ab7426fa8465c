"""Go on where a broken stream stopped.

Every answer of a stream that has a place in the event log carries it as `extensions.concord.cursor`; over SSE it is the
event's id too. A client gives it back as Last-Event-ID, which browsers do of themselves, or as
`extensions.concord.cursor` of its request. A `cursor` argument of the operation goes before both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import structs

from gateway.errors import GatewayError
from gateway.execution.message import GraphQLRequest, GraphQLResponse

CURSOR_HEADER = "last-event-id"
"""Where subgraph clients find the cursor, whichever way it came."""

_MAX_CHARACTERS = 256


def resumed(request: GraphQLRequest) -> GraphQLRequest:
    """Return the request with the client's cursor, if it gave one, as the header Last-Event-ID.

    Raises `GatewayError` with EVENT_CURSOR_INVALID.
    """
    given = _concord(request.extensions).get("cursor")
    cursor = request.headers.get(CURSOR_HEADER) if given is None else given
    if cursor is None or cursor == "":
        return request
    if not isinstance(cursor, str) or len(cursor) > _MAX_CHARACTERS or not cursor.isprintable():
        raise GatewayError("EVENT_CURSOR_INVALID")
    return request if given is None else structs.replace(request, headers={**request.headers, CURSOR_HEADER: cursor})


def cursor_of(response: GraphQLResponse) -> str | None:
    """Return the place in the event log that an answer stands at, if it has one."""
    cursor = _concord(response.extensions).get("cursor")
    return cursor if isinstance(cursor, str) and cursor.isprintable() else None


def _concord(extensions: Mapping[str, Any]) -> Mapping[str, Any]:
    concord = extensions.get("concord")
    return concord if isinstance(concord, dict) else {}
