"""Write one answer: status, media type, headers, bytes."""

from __future__ import annotations

import contextlib
import gzip
from collections.abc import Iterable, Mapping

from gateway.errors import GatewayError, RequestRefused
from gateway.execution.message import ABSENT, GraphQLResponse, refusal
from gateway.transport.asgi import Send, write_headers
from gateway.transport.exchange import Exchange
from gateway.transport.media_type import Answer, negotiate
from gateway.transport.unsent import LARGE_BYTES, UnsentAnswers

_DOCUMENT_REFUSALS = frozenset(
    {"GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED", "OPERATION_RESOLUTION_FAILURE", "BAD_USER_INPUT"}
)

Headers = Iterable[tuple[bytes, bytes]]


async def respond(
    exchange: Exchange,
    response: GraphQLResponse,
    answer: Answer,
    *,
    is_legacy: bool = False,
    compress_from_bytes: int | None = None,
    unsent: UnsentAnswers | None = None,
) -> None:
    """Send a whole GraphQL response. `unsent` paces large ones; where it has no room, a read is refused after all.

    A client that asks for `application/json` by name (`is_legacy`) gets 200 for a document that couldn't be run, as
    clients from before `application/graphql-response+json` expect.
    <https://graphql.github.io/graphql-over-http/draft/#sec-application-json>
    """
    status = response.http_status
    if is_legacy and response.data is ABSENT and _is_document_refused(response):
        status = 200
    body = response.body()
    # Answers hold customers' data: nobody on the way keeps them unless the answer itself says so.
    headers = {"Cache-Control": "no-store", "X-Correlation-Id": exchange.correlation_id, **response.headers}
    raw = [*write_headers(headers), *exchange.cors]
    if compress_from_bytes is not None and len(body) >= compress_from_bytes:
        raw.append((b"vary", b"accept-encoding"))
        if accepts_gzip(exchange.headers):
            body = gzip.compress(body, compresslevel=1, mtime=0)
            raw.append((b"content-encoding", b"gzip"))
    media_type = f"{answer.value}; charset=utf-8".encode()
    if unsent is None or len(body) <= LARGE_BYTES:
        await send_body(exchange.send, status, media_type, body, raw)
        return
    if not response.is_write:  # what a write did must be told
        unsent.check(len(body))
    await send_head(exchange.send, status, media_type, len(body), raw)
    await unsent.send(exchange.scope, exchange.send, body)


async def respond_refused(exchange: Exchange, error: GatewayError | RequestRefused) -> None:
    """Send a refusal that happened before the engine saw the request."""
    answer = Answer.JSON
    with contextlib.suppress(GatewayError):  # what can't be negotiated is answered in JSON all the same
        answer = negotiate(exchange.headers.get("accept", "")).single or Answer.JSON
    await respond(exchange, refusal(error, exchange.correlation_id), answer)


async def send_body(send: Send, status: int, content_type: bytes, body: bytes, headers: Headers = ()) -> None:
    """Send a whole response of any type."""
    await send_head(send, status, content_type, len(body), headers)
    await send({"type": "http.response.body", "body": body})


async def send_head(send: Send, status: int, content_type: bytes, length: int, headers: Headers = ()) -> None:
    """Send everything of a response but its body, which is so long."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", content_type),
                (b"content-length", str(length).encode()),
                (b"x-content-type-options", b"nosniff"),
                *headers,
            ],
        }
    )


def accepts_gzip(headers: Mapping[str, str]) -> bool:
    """Whether the client reads gzipped answers."""
    for text in headers.get("accept-encoding", "").split(","):
        coding, _, parameter = text.partition(";")
        if coding.strip().lower() == "gzip":
            return parameter.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def _is_document_refused(response: GraphQLResponse) -> bool:
    return bool(response.errors) and response.errors[0]["extensions"].get("code") in _DOCUMENT_REFUSALS
