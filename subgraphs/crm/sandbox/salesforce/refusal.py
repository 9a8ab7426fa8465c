"""Salesforce's way to refuse: a list of error codes, sometimes with the fields at fault."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class Refusal(Exception):  # noqa: N818 - the vendor refuses; nothing is in error here
    """One refused request, or one refused record of several."""

    def __init__(self, status: int, code: str, message: str, fields: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields

    def to_json(self) -> list[dict[str, Any]]:
        """Return the error body."""
        error: dict[str, Any] = {"message": self.message, "errorCode": self.code}
        if self.fields:
            error["fields"] = list(self.fields)
        return [error]


async def respond(_request: Request, error: Exception) -> Response:
    """Turn a Refusal into its response."""
    assert isinstance(error, Refusal)
    return JSONResponse(error.to_json(), error.status)


def too_many_requests() -> Response:
    """Return Salesforce's answer beyond an org's limit: 403, without a time to wait."""
    refusal = Refusal(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
    return JSONResponse(refusal.to_json(), refusal.status)


def malformed(message: str) -> Refusal:
    """Return the refusal of a query that can't be read."""
    return Refusal(400, "MALFORMED_QUERY", message)


def not_found() -> Refusal:
    """Return the refusal of an id that names nothing."""
    return Refusal(404, "NOT_FOUND", "The requested resource does not exist")
