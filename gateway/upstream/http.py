"""A subgraph over HTTP: what is sent, and what each answer means."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from functools import lru_cache
from typing import Any

import orjson

from gateway.errors import Outcome
from gateway.execution.located import FIELD_CODES
from gateway.execution.ports import CallerView, RequestContext, SubgraphAnswer, SubgraphFailure, SubgraphRequest
from gateway.federation.plan import OperationKind
from gateway.upstream.kept import Room, keep, no_room
from gateway.upstream.read_budget import LARGE_BYTES
from gateway.upstream.transport import HttpReply, HttpTransport, NoAnswer, NoRoom, NotSent, Streams, TooLarge

ACCEPT = "application/graphql-response+json, application/json;q=0.9"

HTTP_HEADERS = (("content-type", "application/json"), ("accept", ACCEPT))
"""Headers of every fetch."""

PLAIN_JSON = frozenset(
    f"application/{name}json{charset}" for name in ("", "graphql-response+") for charset in ("", "; charset=utf-8")
)
"""Content types that nearly all answers have."""

Identify = Callable[[CallerView], tuple[str, str]]
"""Returns the header, name in lower case and value, that tells the subgraph for whom it is asked."""

Subscribe = Callable[[SubgraphRequest, RequestContext], AsyncGenerator[SubgraphAnswer, None]]


class HttpSubgraph:
    """Sends fetches to one URL."""

    def __init__(
        self,
        transport: HttpTransport,
        *,
        subscribe: Subscribe,
        owned: tuple[Streams, ...] = (),
        identify: Identify | None = None,
        room: Room | None = None,
    ) -> None:
        """`subscribe` carries subscriptions, over whatever protocol the subgraph speaks; `owned` is closed as well.

        `room` is where large answers go.
        """
        self.room = room
        self.identify = identify
        self.transport = transport
        self._owned = owned
        self._subscribe = subscribe

    @property
    def is_streaming(self) -> bool:
        """Whether a subscription goes on over connections that this client owns."""
        return any(each.is_streaming for each in self._owned)

    async def fetch(self, request: SubgraphRequest, context: RequestContext) -> SubgraphAnswer:
        """Post the operation and return the decoded answer. Raises SubgraphFailure by the table of the error standard."""
        left_s = (request.deadline or context.deadline) - asyncio.get_running_loop().time()
        if left_s <= 0:
            raise no_time_left()
        headers = wire_headers(request, context, left_s)
        if self.identify is not None:
            headers.append(self.identify(context.caller))
        try:
            reply = await self.transport.post(headers, request.body, left_s, request.connect_s)
        except (NotSent, NoAnswer, TooLarge) as error:
            raise failure_of_transport(error) from error
        if len(reply.body) > LARGE_BYTES:
            failed = keep(self.room, context, len(reply.body), is_due=request.kind is OperationKind.MUTATION)
            if failed is not None:
                del reply
                raise failed
        return read_reply(reply, request)

    def subscribe(self, request: SubgraphRequest, context: RequestContext) -> AsyncGenerator[SubgraphAnswer, None]:
        """Start a subscription."""
        if self.identify is not None:
            request.headers = (*request.headers, self.identify(context.caller))
        return self._subscribe(request, context)

    async def aclose(self) -> None:
        """Close all connections."""
        await self.transport.aclose()
        for transport in self._owned:
            await transport.aclose()


def no_time_left() -> SubgraphFailure:
    """Return the failure of a fetch whose time was over before it could be sent."""
    return SubgraphFailure("SYSTEM_TIMEOUT", "no time left to ask", is_sent=False, trips_breaker=False)


def wire_headers(request: SubgraphRequest, context: RequestContext, left_s: float | None) -> list[tuple[str, str]]:
    """Return the headers of a fetch; `left_s` is the time the subgraph has."""
    headers = [
        *HTTP_HEADERS,
        ("x-correlation-id", context.correlation_id),
        *request.headers,
    ]
    if left_s is not None:
        headers.append(("x-concord-deadline-ms", str(max(1, int(left_s * 1000)))))
    return headers


def failure_of_transport(error: NotSent | NoAnswer | TooLarge) -> SubgraphFailure:
    """Return what a transport's failure means."""
    match error:
        case NotSent(is_timeout=is_timeout, is_retryable=is_retryable):
            code = "SYSTEM_TIMEOUT" if is_timeout else "SYSTEM_UNAVAILABLE"
            return SubgraphFailure(code, str(error), is_sent=False, retryable=None if is_retryable else False)
        case NoRoom():
            return no_room(str(error))
        case NoAnswer(is_timeout=is_timeout):
            return SubgraphFailure("SYSTEM_TIMEOUT" if is_timeout else "SYSTEM_UNAVAILABLE", str(error), is_sent=True)
        case TooLarge():
            return SubgraphFailure("SYSTEM_BAD_RESPONSE", str(error), is_sent=True)


def read_reply(reply: HttpReply, request: SubgraphRequest) -> SubgraphAnswer:
    """Return the answer that a reply carries, or raise SubgraphFailure as its status says."""
    is_json = _is_json(reply.headers.get("content-type", ""))
    if reply.status == 200:
        if not is_json:
            reason = f"content type {reply.headers.get('content-type')!r}"
            raise SubgraphFailure("SYSTEM_BAD_RESPONSE", reason, is_sent=True)
        return SubgraphAnswer(_decoded(reply.body, request), reply.body)
    if is_json:
        # GraphQL over HTTP lets a server give 4xx and 5xx with a GraphQL answer; it says more than the status.
        try:
            value = orjson.loads(reply.body)
        except ValueError:
            value = None
        if isinstance(value, dict) and (isinstance(value.get("data"), dict) or _has_known_code(value)):
            return SubgraphAnswer(value, reply.body)
    raise failure_of_status(reply.status, reply.headers)


def _decoded(body: bytes, request: SubgraphRequest) -> Any:
    try:
        return request.decode(body)
    except ValueError as error:
        raise not_json(error) from error


def not_json(error: ValueError) -> SubgraphFailure:
    """Return what a body means that is not what its content type says."""
    return SubgraphFailure("SYSTEM_BAD_RESPONSE", f"not JSON: {error}", is_sent=True)


@lru_cache(maxsize=256)
def _is_json(content_type: str) -> bool:
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type in ("", "application/json", "text/json") or media_type.endswith("+json")


def _has_known_code(value: Mapping[str, Any]) -> bool:
    errors = value.get("errors")
    for entry in errors if isinstance(errors, list) else ():
        extensions = entry.get("extensions") if isinstance(entry, dict) else None
        code = extensions.get("code") if isinstance(extensions, dict) else None
        if isinstance(code, str) and code in FIELD_CODES:
            return True
    return False


def failure_of_status(status: int, headers: Mapping[str, str]) -> SubgraphFailure:
    """Return what a status without a usable body means."""
    reason = f"HTTP {status}"
    retry_after_ms = _retry_after_ms(headers.get("retry-after"))
    refused = Outcome.NOT_APPLIED
    match status:
        case 401 | 403:
            return SubgraphFailure("SYSTEM_AUTH_FAILED", reason, is_sent=True, outcome=refused, trips_breaker=False)
        case 409 | 412:
            return SubgraphFailure("CONFLICT", reason, is_sent=True, outcome=refused, trips_breaker=False)
        case 429:
            return SubgraphFailure(
                "SYSTEM_RATE_LIMITED",
                reason,
                is_sent=True,
                outcome=refused,
                trips_breaker=False,
                retry_after_ms=retry_after_ms,
            )
        case 503 if retry_after_ms is not None:
            return SubgraphFailure(
                "SYSTEM_UNAVAILABLE", reason, is_sent=True, outcome=refused, retry_after_ms=retry_after_ms
            )
        case 502 | 503:
            return SubgraphFailure("SYSTEM_UNAVAILABLE", reason, is_sent=True)
        case 504:
            return SubgraphFailure("SYSTEM_TIMEOUT", reason, is_sent=True)
        case 404 | 405:
            # A GraphQL endpoint that isn't one: nobody's object is missing.
            return SubgraphFailure("SYSTEM_BAD_RESPONSE", reason, is_sent=True, outcome=refused)
        case _ if 400 <= status < 500:
            return SubgraphFailure("SYSTEM_REJECTED", reason, is_sent=True, outcome=refused, trips_breaker=False)
        case _ if status >= 500:
            return SubgraphFailure("SYSTEM_ERROR", reason, is_sent=True)
        case _:
            return SubgraphFailure("SYSTEM_BAD_RESPONSE", reason, is_sent=True)


def _retry_after_ms(value: str | None) -> int | None:
    # The form with a date is rare and depends on both clocks; it is read as no hint.
    return int(value) * 1000 if value is not None and value.isascii() and value.isdigit() and len(value) < 7 else None
