"""Write one answer: status, media type, headers, bytes."""

from __future__ import annotations

import contextlib
import gzip
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gateway.errors import GatewayError, RequestRefused
from gateway.execution.message import GraphQLResponse, refusal
from gateway.transport.asgi import Send, write_headers
from gateway.transport.exchange import Exchange
from gateway.transport.media_type import Answer, negotiate
from gateway.transport.unsent import LARGE_BYTES, UnsentAnswers

_DOCUMENT_REFUSALS = frozenset(
    {"GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED", "OPERATION_RESOLUTION_FAILURE", "BAD_USER_INPUT"}
)

_CONTENT_TYPES = {answer: f"{answer.value}; charset=utf-8".encode() for answer in Answer}

Headers = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Rendered:
    """A whole response, ready to be written."""

    status: int
    headers: list[tuple[bytes, bytes]]
    """Names in lower case; with the content's type and length."""
    body: bytes


def render(
    response: GraphQLResponse,
    answer: Answer,
    *,
    correlation_id: str,
    headers: Mapping[str, str],
    cors: Headers,
    is_legacy: bool = False,
    compress_from_bytes: int | None = None,
) -> Rendered:
    """Return a whole GraphQL response as it is written to the client whose request had these headers.

    A client that asks for `application/json` by name (`is_legacy`) gets 200 for a document that couldn't be run, as
    clients from before `application/graphql-response+json` expect.
    <https://graphql.github.io/graphql-over-http/draft/#sec-application-json>
    """
    status = response.http_status
    if is_legacy and not response.has_data and _is_document_refused(response):
        status = 200
    body = response.body()
    content_type = _CONTENT_TYPES[answer]
    # Answers hold customers' data: nobody on the way keeps them unless the answer itself says so.
    raw = write_headers({"Cache-Control": "no-store", "X-Correlation-Id": correlation_id, **response.headers})
    raw.extend(cors)
    if compress_from_bytes is not None and len(body) >= compress_from_bytes:
        raw.append((b"vary", b"accept-encoding"))
        if accepts_gzip(headers):
            body = gzip.compress(body, compresslevel=1, mtime=0)
            raw.append((b"content-encoding", b"gzip"))
    return Rendered(status, _with_content(content_type, body, raw), body)


async def respond(
    exchange: Exchange,
    response: GraphQLResponse,
    answer: Answer,
    *,
    is_legacy: bool = False,
    compress_from_bytes: int | None = None,
    unsent: UnsentAnswers | None = None,
) -> None:
    """Send a whole GraphQL response; see `render`. `unsent` paces large ones; where it has no room, a read is refused."""
    rendered = render(
        response,
        answer,
        correlation_id=exchange.correlation_id,
        headers=exchange.headers,
        cors=exchange.cors,
        is_legacy=is_legacy,
        compress_from_bytes=compress_from_bytes,
    )
    if unsent is None or len(rendered.body) <= LARGE_BYTES:
        await _send(exchange.send, rendered.status, rendered.headers, rendered.body)
        return
    with unsent.taken(len(rendered.body), is_due=response.is_write):
        del response  # else both are kept for as long as the client reads
        await exchange.send({"type": "http.response.start", "status": rendered.status, "headers": rendered.headers})
        await unsent.send(exchange.scope, exchange.send, rendered.body)


async def respond_refused(
    exchange: Exchange, error: GatewayError | RequestRefused, *, cause: Exception | None = None
) -> None:
    """Send a refusal that happened before the engine saw the request; `cause` is the bug behind it, for the log."""
    answer = Answer.JSON
    with contextlib.suppress(GatewayError):  # what can't be negotiated is answered in JSON all the same
        answer = negotiate(exchange.headers.get("accept", "")).single or Answer.JSON
    await respond(exchange, refusal(error, exchange.correlation_id, cause=cause), answer)


async def send_body(send: Send, status: int, content_type: bytes, body: bytes, headers: Headers = ()) -> None:
    """Send a whole response of any type."""
    await _send(send, status, _with_content(content_type, body, headers), body)


async def _send(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def content_headers(answer: Answer) -> list[tuple[bytes, bytes]]:
    """Return the headers that say what an answer's body is, save for its length."""
    return _typed(_CONTENT_TYPES[answer])


def _typed(content_type: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"content-type", content_type), (b"x-content-type-options", b"nosniff")]


def _with_content(content_type: bytes, body: bytes, headers: Headers) -> list[tuple[bytes, bytes]]:
    return [*_typed(content_type), (b"content-length", b"%d" % len(body)), *headers]


def accepts_gzip(headers: Mapping[str, str]) -> bool:
    """Whether the client reads gzipped answers."""
    for text in headers.get("accept-encoding", "").split(","):
        coding, _, parameter = text.partition(";")
        if coding.strip().lower() == "gzip":
            return parameter.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def _is_document_refused(response: GraphQLResponse) -> bool:
    return bool(response.errors) and response.errors[0]["extensions"].get("code") in _DOCUMENT_REFUSALS
