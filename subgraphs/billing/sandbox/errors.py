"""Stripe's error object, with the codes and sentences its API uses (https://docs.stripe.com/api/errors)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True, eq=False)
class StripeError(Exception):
    """A refusal that leaves the API as `{"error": {…}}` with its HTTP status."""

    status: int
    type: str
    message: str
    code: str | None = None
    param: str | None = None

    def body(self) -> dict[str, Any]:
        """Return the response body; absent members are left out, as Stripe does."""
        error: dict[str, Any] = {"message": self.message, "type": self.type}
        if self.code is not None:
            error["code"] = self.code
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        if self.param is not None:
            error["param"] = self.param
        return {"error": error}

    @classmethod
    def invalid(cls, message: str, *, code: str | None = None, param: str | None = None) -> StripeError:
        """A request Stripe can't act on."""
        return cls(400, "invalid_request_error", message, code, param)

    @classmethod
    def missing_param(cls, param: str) -> StripeError:
        """A required parameter was left out."""
        return cls.invalid(f"Missing required param: {param}.", code="parameter_missing", param=param)

    @classmethod
    def no_such(cls, noun: str, object_id: str, *, param: str = "id") -> StripeError:
        """Nothing has that id. In the path it is a 404, in a parameter a 400."""
        status = 404 if param == "id" else 400
        return cls(status, "invalid_request_error", f"No such {noun}: '{object_id}'", "resource_missing", param)

    @classmethod
    def unknown_url(cls, method: str, path: str) -> StripeError:
        """No route matches."""
        return cls(
            404,
            "invalid_request_error",
            f"Unrecognized request URL ({method}: {path}). If you are trying to list objects, remove the trailing slash. "
            "If you are trying to retrieve an object, make sure you passed a valid (non-empty) identifier in your code.",
        )

    @classmethod
    def unauthorized(cls, key: str | None) -> StripeError:
        """The secret key is absent or not ours; only its ends are repeated."""
        if not key:
            return cls(
                401,
                "invalid_request_error",
                "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth "
                "(e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
            )
        shown = key if len(key) < 12 else f"{key[:7]}{'*' * (len(key) - 11)}{key[-4:]}"
        return cls(401, "invalid_request_error", f"Invalid API Key provided: {shown}")

    @classmethod
    def key_reused(cls, key: str) -> StripeError:
        """An idempotency key came back with other parameters."""
        return cls(
            400,
            "idempotency_error",
            f"Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other "
            f"than '{key}' if you meant to execute a different request.",
        )


class CardDeclined(StripeError):  # noqa: N818 - Stripe's own word for it
    """The customer's bank refused: the request fails, and what was tried stays on record."""

    def __init__(self) -> None:
        super().__init__(402, "card_error", "Your card was declined.", "card_declined")
