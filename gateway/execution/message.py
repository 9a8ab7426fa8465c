"""The two nouns at the ends of the line: what a client asked and what it is answered."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, Final

import orjson
from msgspec import Struct

from gateway.errors import REGISTRY, ErrorClass, GatewayError, RequestRefused

_LOG = logging.getLogger("concord.answers")
_LEVELS: Final = {
    **dict.fromkeys(ErrorClass, logging.INFO),
    ErrorClass.UPSTREAM: logging.WARNING,
    ErrorClass.INTERNAL: logging.ERROR,
}
"""Whose fault something is → how loudly the log says so: what callers do wrong is theirs to mend."""
_MOST_CAUSES = 20


class _Absent(Enum):
    ABSENT = "absent"


ABSENT: Final = _Absent.ABSENT
"""The response has no `data` key: the request was refused before execution. Not the same as `data: null`."""


class GraphQLRequest(Struct, kw_only=True):
    """A well-formed GraphQL request of any transport, not yet looked into. Not changed once it is made."""

    query: str | None = None
    """The document; None where `extensions` or the transport name a stored one."""
    operation_name: str | None = None
    variables: Mapping[str, Any] = {}
    extensions: Mapping[str, Any] = {}
    headers: Mapping[str, str] = {}
    """Names in lower case, values decoded; of a WebSocket: those of its upgrade and of `connection_init`."""
    is_read_only: bool = False
    """True for GET: a mutation is refused with METHOD_NOT_ALLOWED."""


_NOTHING: Final[Mapping[str, Any]] = {}


class GraphQLResponse:
    """An answer, ready for any transport."""

    __slots__ = ("_data", "encoded", "errors", "extensions", "headers", "http_status", "is_write")

    def __init__(
        self,
        *,
        data: Any = ABSENT,
        encoded: bytes | None = None,
        errors: tuple[Mapping[str, Any], ...] = (),
        extensions: Mapping[str, Any] = _NOTHING,
        http_status: int = 200,
        headers: Mapping[str, str] = _NOTHING,
        is_write: bool = False,
    ) -> None:
        """`data` is a JSON value (`orjson.Fragment` allowed) or ABSENT; `encoded` is its text in UTF-8, where that is what there is."""
        self._data = data
        self.encoded = encoded
        self.errors = errors
        self.extensions = extensions
        self.http_status = http_status
        """200 wherever there is data, even null beside errors; otherwise that of the first error."""
        self.headers = headers
        """Response headers the answer asks for (X-Correlation-Id, Retry-After, Allow …)."""
        self.is_write = is_write
        """Whether it tells what a mutation did."""

    @property
    def data(self) -> Any:
        """The JSON value, or ABSENT."""
        if self.encoded is not None and self._data is ABSENT:
            self._data = orjson.loads(self.encoded)
        return self._data

    @property
    def has_data(self) -> bool:
        """Whether the response has `data`, even null."""
        return self.encoded is not None or self._data is not ABSENT

    def payload(self) -> dict[str, Any]:
        """Return the response as the JSON object GraphQL describes: errors, data, extensions, each only if present."""
        payload: dict[str, Any] = {}
        if self.errors:
            payload["errors"] = list(self.errors)
        if self.has_data:
            payload["data"] = self.data
        if self.extensions:
            payload["extensions"] = self.extensions
        return payload

    def body(self) -> bytes:
        """Return the response's JSON text in UTF-8."""
        return b"".join(self.pieces())

    def pieces(self) -> tuple[bytes, ...]:
        """Return the response's JSON text in UTF-8 in one piece or several, which may be large."""
        if self.encoded is not None and not self.errors and not self.extensions:
            return b'{"data":', self.encoded, b"}"
        return (orjson.dumps(self.payload()),)


class SharedResponse(GraphQLResponse):
    """An answer that many clients are given: what it looks like on a wire is made once for each wire."""

    __slots__ = ("_forms",)

    def __init__(self, answer: GraphQLResponse) -> None:
        """Take over what an answer says."""
        super().__init__(
            data=answer.data,
            errors=answer.errors,
            extensions=answer.extensions,
            http_status=answer.http_status,
            headers=answer.headers,
            is_write=answer.is_write,
        )
        self._forms: dict[str, bytes] = {}

    def form(self, wire: str, make: Callable[[GraphQLResponse], bytes]) -> bytes:
        """Return the answer as a wire has it, made by whoever needs it first."""
        found = self._forms.get(wire)
        if found is None:
            found = self._forms[wire] = make(self)
        return found

    def payload(self) -> Any:
        """Return the response's JSON text, as a value that is written as it stands."""
        return orjson.Fragment(self.form("payload", lambda _: orjson.dumps(super(SharedResponse, self).payload())))

    def pieces(self) -> tuple[bytes, ...]:
        """Return the response's JSON text in UTF-8."""
        return (self.form("payload", lambda _: orjson.dumps(super(SharedResponse, self).payload())),)


def in_form(answer: GraphQLResponse, wire: str, make: Callable[[GraphQLResponse], bytes]) -> bytes:
    """Return an answer as a wire has it; of one that is shared that was perhaps made already."""
    return answer.form(wire, make) if isinstance(answer, SharedResponse) else make(answer)


def refusal(
    error: GatewayError | RequestRefused, correlation_id: str, *, cause: Exception | None = None
) -> GraphQLResponse:
    """Return the answer to a request that was refused as a whole; shaped the same on every transport.

    It is logged by its correlation id, in this one line; `cause` is the bug behind INTERNAL_SERVER_ERROR.
    """
    refusals = error.errors if isinstance(error, RequestRefused) else (error,)
    first = refusals[0]
    entries = tuple(refused.to_graphql_error() for refused in refusals)
    for entry in entries:
        entry["extensions"]["correlationId"] = correlation_id
    codes = list(dict.fromkeys(each.code for each in refusals))
    _LOG.log(
        _LEVELS[REGISTRY[first.code].error_class],
        "refused" if cause is None else "internal_error",
        exc_info=cause,
        extra={"correlation_id": correlation_id, "codes": codes},
    )
    headers = {"X-Correlation-Id": correlation_id, **first.headers}
    if first.retry_after_ms is not None:
        headers["Retry-After"] = str(max(1, -(-first.retry_after_ms // 1000)))
    return GraphQLResponse(errors=entries, http_status=REGISTRY[first.code].http_status, headers=headers)


def log_errors(
    errors: Sequence[Mapping[str, Any]], causes: Sequence[Mapping[str, Any]] | None, correlation_id: str
) -> None:
    """Write what is wrong with an answer into the log, in one line by its correlation id; `causes` is what clients don't read.

    A `fault` among these is a bug of ours that cost time, not the answer: it is told with its trace.
    """
    told = [each["extensions"] for each in errors]
    level = max((_LEVELS[REGISTRY[each["code"]].error_class] for each in told), default=logging.WARNING)
    about = {
        "codes": list(dict.fromkeys(f"{each['system']} {each['code']}" for each in told)),
        "causes": [each for each in causes or () if "fault" not in each][:_MOST_CAUSES],
    }
    fault = next((each["fault"] for each in causes or () if "fault" in each), None)
    if fault is not None:
        level = logging.ERROR
    event = "answered_with_errors" if errors else "answered_after_fault"
    _LOG.log(level, event, exc_info=fault, extra={"correlation_id": correlation_id, **about})
