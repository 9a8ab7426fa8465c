"""Every failure a caller can meet: one registry of codes, printed into the documentation.

`GatewayError` leaves the line early for the whole request; `located_error` describes one field's failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class ErrorClass(StrEnum):
    """Whose fault a failure is, and so who can mend it."""

    CLIENT = "CLIENT"
    AUTH = "AUTH"
    LIMIT = "LIMIT"
    UPSTREAM = "UPSTREAM"
    CONFLICT = "CONFLICT"
    INTERNAL = "INTERNAL"


class Outcome(StrEnum):
    """What became of a write."""

    NOT_APPLIED = "NOT_APPLIED"
    APPLIED = "APPLIED"
    UNKNOWN = "UNKNOWN"
    IN_PROGRESS = "IN_PROGRESS"
    COMPENSATED = "COMPENSATED"


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """One row of the registry."""

    code: str
    http_status: int
    """Status of a response that carries this error and no data; 200 for errors that only occur beside data."""
    error_class: ErrorClass
    retryable: bool
    """True only if repeating the same request, with the same idempotency key, is safe and may succeed."""
    sentence: str
    """What happened and what to do, safe to show to anybody."""


def _rows(*rows: tuple[str, int, ErrorClass, bool, str]) -> Mapping[str, ErrorCode]:
    return {row[0]: ErrorCode(*row) for row in rows}


_C, _A, _L, _U, _X, _I = ErrorClass

REGISTRY: Mapping[str, ErrorCode] = _rows(
    ("BAD_REQUEST", 400, _C, False, "The request is not a GraphQL request; send JSON with a `query` string."),
    ("GRAPHQL_PARSE_FAILED", 400, _C, False, "The document is not GraphQL; the location shows where parsing stopped."),
    ("GRAPHQL_VALIDATION_FAILED", 400, _C, False, "The document does not fit the schema; correct the named fields."),
    (
        "OPERATION_RESOLUTION_FAILURE",
        400,
        _C,
        False,
        "The document has no such operation; name one in `operationName`.",
    ),
    ("BAD_USER_INPUT", 400, _C, False, "A variable or argument has a value its type does not allow."),
    ("INTROSPECTION_DISABLED", 400, _C, False, "Introspection is off here; read the published schema instead."),
    (
        "CSRF_PREVENTED",
        400,
        _C,
        False,
        "A browser could send this from another site; add a Content-Type or Apollo-Require-Preflight header.",
    ),
    ("BATCHING_NOT_SUPPORTED", 400, _C, False, "Send one operation per request."),
    ("MAX_TOKENS_LIMIT", 400, _L, False, "The document has too many tokens."),
    ("MAX_DEPTH_LIMIT", 400, _L, False, "The operation is nested too deeply."),
    ("MAX_ALIASES_LIMIT", 400, _L, False, "The operation has too many aliases."),
    ("MAX_FIELDS_LIMIT", 400, _L, False, "The operation selects too many fields once fragments are expanded."),
    ("MAX_DIRECTIVES_LIMIT", 400, _L, False, "The operation has too many directives."),
    ("MAX_DEFINITIONS_LIMIT", 400, _L, False, "The document has too many operations or fragments."),
    ("MAX_VARIABLES_LIMIT", 400, _L, False, "The operation declares too many variables."),
    ("MAX_ROOT_FIELDS_LIMIT", 400, _L, False, "The operation has too many root fields."),
    (
        "COST_ESTIMATED_TOO_EXPENSIVE",
        400,
        _L,
        False,
        "The operation's estimated cost is above the limit; ask for fewer items.",
    ),
    (
        "SLICING_ARGUMENT_REQUIRED",
        400,
        _L,
        False,
        "A field takes exactly one of the arguments that say how long its list may be; give one.",
    ),
    (
        "PLAN_BUDGET_EXCEEDED",
        400,
        _L,
        False,
        "The operation can be planned in too many ways; split it or select less of it.",
    ),
    ("QUERY_NOT_IN_SAFELIST", 400, _C, False, "Only registered operations are allowed here."),
    ("PERSISTED_QUERY_ID_REQUIRED", 400, _C, False, "Send a registered operation's id instead of its text."),
    ("PERSISTED_QUERY_NOT_FOUND", 200, _C, True, "PersistedQueryNotFound"),
    ("PERSISTED_QUERY_NOT_SUPPORTED", 200, _C, False, "PersistedQueryNotSupported"),
    ("UNAUTHENTICATED", 401, _A, False, "Credentials are missing or not valid."),
    ("FORBIDDEN", 403, _A, False, "The caller may not do this."),
    ("METHOD_NOT_ALLOWED", 405, _C, False, "Use POST, or GET for queries."),
    ("NOT_ACCEPTABLE", 406, _C, False, "None of the accepted media types can be produced."),
    ("REQUEST_TIMEOUT", 408, _C, True, "The request did not arrive in time."),
    ("PAYLOAD_TOO_LARGE", 413, _L, False, "The request body is too large."),
    ("UNSUPPORTED_MEDIA_TYPE", 415, _C, False, "Send the body as application/json."),
    ("HEADERS_TOO_LARGE", 431, _L, False, "The request's headers are too large."),
    ("IDEMPOTENCY_KEY_REQUIRED", 400, _C, False, "This write needs an Idempotency-Key header."),
    ("IDEMPOTENCY_IN_PROGRESS", 409, _X, True, "The same write is still running; ask again with the same key."),
    ("IDEMPOTENCY_KEY_REUSED", 422, _X, False, "This key was used for a different write; take a new one."),
    ("REQUEST_RATE_LIMITED", 429, _L, True, "Too many requests; wait as Retry-After says."),
    ("OVERLOADED", 503, _L, True, "The gateway is at capacity; wait as Retry-After says."),
    ("SHUTTING_DOWN", 503, _L, True, "The gateway is stopping; another replica will answer."),
    ("AUTH_UNAVAILABLE", 503, _U, True, "Credentials can't be checked at the moment."),
    ("STORE_UNAVAILABLE", 503, _I, True, "The gateway's own store is not available; nothing was done."),
    ("REQUEST_DEADLINE_EXCEEDED", 504, _U, True, "The answer was not complete within the request's deadline."),
    (
        "OPERATION_NOT_SATISFIABLE",
        500,
        _I,
        False,
        "The graph has no way to answer this selection; its owners have to mend the supergraph.",
    ),
    ("INTERNAL_SERVER_ERROR", 500, _I, False, "An error of our own; quote the correlation id when you report it."),
    ("UNAUTHORIZED_FIELD_OR_TYPE", 403, _A, False, "The caller may not read this field."),
    ("NOT_FOUND", 404, _C, False, "There is no such object."),
    ("CONFLICT", 409, _X, False, "The object has changed; read it again and repeat the change."),
    ("SYSTEM_UNAVAILABLE", 502, _U, True, "The system that owns this field can't be reached."),
    (
        "SYSTEM_SYNCHRONISING",
        503,
        _U,
        True,
        "The system's customers are read for the first time; what is there lacks those not read yet. Ask again shortly.",
    ),
    ("SYSTEM_TIMEOUT", 504, _U, True, "The system that owns this field did not answer in time."),
    ("SYSTEM_CIRCUIT_OPEN", 503, _U, True, "The system that owns this field failed repeatedly and is given a rest."),
    ("SYSTEM_REJECTED", 422, _U, False, "The system that owns this refused it."),
    (
        "SYSTEM_AUTH_FAILED",
        502,
        _U,
        False,
        "The system that owns this field refused the gateway; its owner has been told.",
    ),
    ("SYSTEM_RATE_LIMITED", 503, _U, True, "The system that owns this field limits its rate; wait and ask again."),
    ("SYSTEM_ERROR", 502, _U, True, "The system that owns this field failed."),
    ("SYSTEM_BAD_RESPONSE", 502, _U, True, "The system that owns this field gave an answer that can't be used."),
    ("SAGA_IN_PROGRESS", 200, _X, True, "The workflow is still running."),
    ("SAGA_COMPENSATED", 200, _X, False, "The workflow failed and was undone."),
    ("SAGA_NEEDS_ATTENTION", 200, _X, False, "The workflow stopped and waits for a person."),
    (
        "EVENT_CURSOR_EXPIRED",
        400,
        _C,
        False,
        "Events after this cursor are no longer kept; start without one and re-read.",
    ),
    ("EVENT_CURSOR_INVALID", 400, _C, False, "This is not a cursor of this stream."),
    ("SLOW_CONSUMER", 200, _L, True, "Events came faster than they were read; resume from the last cursor."),
    ("SUBSCRIPTION_LIMIT", 429, _L, True, "Too many subscriptions on one connection."),
    ("SCHEMA_RELOADED", 200, _I, True, "The schema changed so that this subscription can't go on; subscribe again."),
    ("TOKEN_EXPIRED", 401, _A, False, "The credentials expired; connect again with new ones."),
    ("SIGNATURE_INVALID", 401, _A, False, "The signature does not match the body and the shared secret."),
    ("EVENT_CONTRACT_BROKEN", 422, _C, False, "The event does not fit its contract in schema/events."),
)
"""Code → its row. Ordered as in the documentation: request level, then field level, then streams."""


@dataclass(slots=True, eq=False)
class GatewayError(Exception):
    """A refusal of the whole request. `message` may say more than the registry's sentence, never less safely."""

    code: str
    message: str = ""
    locations: tuple[tuple[int, int], ...] = ()
    """(line, column) pairs in the document, from 1."""
    path: tuple[str | int, ...] | None = None
    retry_after_ms: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Response headers this refusal asks for, such as Allow."""
    extensions: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.code not in REGISTRY:
            raise KeyError(self.code)
        self.message = self.message or REGISTRY[self.code].sentence

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    @property
    def http_status(self) -> int:
        """Status of the response when this error is the whole answer."""
        return REGISTRY[self.code].http_status

    def to_graphql_error(self) -> dict[str, Any]:
        """Return the error as an entry of the response's `errors`."""
        return located_error(
            self.code,
            self.message,
            path=self.path,
            locations=self.locations,
            retry_after_ms=self.retry_after_ms,
            extensions=self.extensions,
        )


class RequestRefused(Exception):  # noqa: N818 - reads as what it is
    """Several refusals at once, as validation finds them. All carry the status of the first."""

    def __init__(self, errors: tuple[GatewayError, ...]) -> None:
        super().__init__("; ".join(map(str, errors)))
        self.errors = errors


def located_error(
    code: str,
    message: str = "",
    *,
    path: tuple[str | int, ...] | None = None,
    locations: tuple[tuple[int, int], ...] = (),
    system: str = "gateway",
    owner: str | None = None,
    retryable: bool | None = None,
    retry_after_ms: int | None = None,
    outcome: Outcome | None = None,
    extensions: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return one entry of `errors`, shaped as the error standard says.

        {"message": "…", "path": ["customer", "legalName"],
         "extensions": {"code": "SYSTEM_TIMEOUT", "class": "UPSTREAM", "system": "erp", "retryable": true}}

    The correlation id is added where the response is made.
    """
    row = REGISTRY[code]
    error: dict[str, Any] = {"message": (message or row.sentence)[:300]}
    if locations:
        error["locations"] = [{"line": line, "column": column} for line, column in locations]
    if path is not None:
        error["path"] = list(path)
    details: dict[str, Any] = {
        "code": code,
        "class": row.error_class.value,
        "system": system,
        "retryable": row.retryable if retryable is None else retryable,
    }
    if owner is not None:
        details["owner"] = owner
    if retry_after_ms is not None:
        details["retryAfterMs"] = retry_after_ms
    if outcome is not None:
        details["outcome"] = outcome.value
    if extensions:
        details.update(extensions)
    error["extensions"] = details
    return error
