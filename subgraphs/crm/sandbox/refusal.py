"""HubSpot's way to refuse: an error body with a category and a correlation id."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class Refusal(Exception):  # noqa: N818 - the vendor refuses; nothing is in error here
    """One refused request."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        category: str = "VALIDATION_ERROR",
        context: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.category = category
        self.context = context

    def to_json(self) -> dict[str, Any]:
        """Return the error body."""
        body: dict[str, Any] = {
            "status": "error",
            "message": self.message,
            "correlationId": str(uuid.uuid4()),
            "category": self.category,
        }
        if self.context is not None:
            body["context"] = {name: list(values) for name, values in self.context.items()}
        return body


async def respond(_request: Request, error: Exception) -> Response:
    """Turn a Refusal into its response."""
    assert isinstance(error, Refusal)
    return JSONResponse(error.to_json(), error.status)


def too_many_requests(policy: str = "TEN_SECONDLY_ROLLING") -> Response:
    """Return HubSpot's 429, as its API answers beyond a limit."""
    body = {
        "status": "error",
        "message": f"You have reached your {policy.lower()} limit.",
        "errorType": "RATE_LIMIT",
        "correlationId": str(uuid.uuid4()),
        "policyName": policy,
        "category": "RATE_LIMITS",
    }
    return JSONResponse(body, 429, headers={"retry-after": "1"})
