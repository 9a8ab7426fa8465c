"""The failures a subgraph's field can end in, and how each is shown: `extensions {code, system, retryable, outcome}`.

The codes are those of the error standard; the gateway recognises them by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from subgraphs.kit.vendor_reply import VendorReply


class Outcome(StrEnum):
    """What became of a write."""

    NOT_APPLIED = "NOT_APPLIED"
    APPLIED = "APPLIED"
    UNKNOWN = "UNKNOWN"
    IN_PROGRESS = "IN_PROGRESS"


class FieldError(Exception):
    """An expected failure of one field. Raised by resolvers and loaders; `message` is short and safe to show."""

    code: str = "INTERNAL_SERVER_ERROR"
    retryable: bool = False

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        system: str | None = None,
        retryable: bool | None = None,
        retry_after_ms: int | None = None,
        outcome: Outcome | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        if retryable is not None:
            self.retryable = retryable
        self.system = system
        """Logical name of the system at fault (`crm`), never a host. None: filled in with the subgraph's own name."""
        self.retry_after_ms = retry_after_ms
        self.outcome = outcome

    @property
    def extensions(self) -> dict[str, Any]:
        """The error entry's `extensions`, as graphql-core picks them up from the exception."""
        details: dict[str, Any] = {"code": self.code, "retryable": self.retryable}
        if self.system is not None:
            details["system"] = self.system
        if self.retry_after_ms is not None:
            details["retryAfterMs"] = self.retry_after_ms
        if self.outcome is not None:
            details["outcome"] = self.outcome.value
        return details


class BadUserInputError(FieldError):
    """An argument has a value that its type allows but this field does not."""

    code = "BAD_USER_INPUT"


class NotFoundError(FieldError):
    """A write names an object that does not exist. Reads answer null instead."""

    code = "NOT_FOUND"


class ForbiddenError(FieldError):
    """The caller may not do this, whatever there is."""

    code = "FORBIDDEN"


class ConflictError(FieldError):
    """The object has changed since its version was read, or its state forbids the change."""

    code = "CONFLICT"


class StaleVersionError(ConflictError):
    """The object has changed since its version was read. `current` is what the caller has to look at before asking again."""

    def __init__(self, message: str, *, current: Mapping[str, str | bool | None]) -> None:
        """`current`: `version`, and the fields that were to be changed, as they are: `{"version": "7", "stage": "WON"}`."""
        super().__init__(message, outcome=Outcome.NOT_APPLIED)
        self.current = current

    @property
    def extensions(self) -> dict[str, Any]:
        """As any error's, with the current values."""
        return {**super().extensions, "current": dict(self.current)}


class IdempotencyInProgressError(FieldError):
    """The first write with this key is still running."""

    code = "IDEMPOTENCY_IN_PROGRESS"
    retryable = True


class IdempotencyKeyReusedError(FieldError):
    """The key was used before, for other arguments."""

    code = "IDEMPOTENCY_KEY_REUSED"


class VendorError(FieldError):
    """The system of record failed, refused, or can't be reached."""

    reply: VendorReply | None = None
    """The vendor's answer, if there was one: for adaptors that know more than the status says. Never shown."""


class VendorUnavailableError(VendorError):
    """It can't be connected to, hung up, or says so itself (502, 503)."""

    code = "SYSTEM_UNAVAILABLE"
    retryable = True


class SynchronisingError(FieldError):
    """Its customers are read for the first time: what is found by them is short until that is done."""

    code = "SYSTEM_SYNCHRONISING"
    retryable = True


class VendorTimeoutError(VendorError):
    """It did not answer within the deadline."""

    code = "SYSTEM_TIMEOUT"
    retryable = True


class VendorRejectedError(VendorError):
    """It understood the request and refused it (400, 422)."""

    code = "SYSTEM_REJECTED"


class VendorAuthError(VendorError):
    """It refused our own credential (401, 403). The client never learns why."""

    code = "SYSTEM_AUTH_FAILED"


class VendorRateLimitedError(VendorError):
    """It limits its rate (429); `retry_after_ms` says how long."""

    code = "SYSTEM_RATE_LIMITED"
    retryable = True


class VendorFailedError(VendorError):
    """It failed on its own account (500)."""

    code = "SYSTEM_ERROR"
    retryable = True


class VendorBadResponseError(VendorError):
    """Its answer can't be used: a redirect, not JSON, not the promised shape, too large."""

    code = "SYSTEM_BAD_RESPONSE"
    retryable = True


class VendorNotFoundError(VendorError):
    """404 on a single object. Batch reads never raise it: absent is absent."""

    code = "NOT_FOUND"


class VendorConflictError(VendorError):
    """409 or 412: the object is in another state than the write assumed."""

    code = "CONFLICT"
