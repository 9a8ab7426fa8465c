"""One answer of a vendor, and what an unsuccessful one means: status → SYSTEM_* error, by the error standard's table."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from subgraphs.kit.system_error import (
    Outcome,
    VendorAuthError,
    VendorBadResponseError,
    VendorConflictError,
    VendorError,
    VendorFailedError,
    VendorNotFoundError,
    VendorRateLimitedError,
    VendorRejectedError,
    VendorTimeoutError,
    VendorUnavailableError,
)

_LONGEST_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorReply:
    """A vendor's answer, its JSON parsed."""

    status: int
    headers: Mapping[str, str]
    """Header names in lower case."""
    body: Any
    """Parsed JSON; None for an empty body; text where the vendor sent something else with an error status."""

    @property
    def retry_after_ms(self) -> int | None:
        """How long the vendor asks to wait, from `Retry-After` (seconds or a date)."""
        value = self.headers.get("retry-after", "").strip()
        if not value:
            return None
        try:
            return _bounded(float(value) * 1000)
        except (ValueError, OverflowError):
            pass
        try:
            return _bounded((email.utils.parsedate_to_datetime(value).timestamp() - time.time()) * 1000)
        except (ValueError, OverflowError):
            return None


def _bounded(wait_ms: float) -> int:
    """Return a whole number of milliseconds, a day at most: nobody believes a vendor that says more."""
    return max(0, round(min(wait_ms, _LONGEST_MS)))


def vendor_error(reply: VendorReply, *, system: str, is_write: bool, has_key: bool, said: str | None) -> VendorError:
    """Return the error an unsuccessful reply means.

    `has_key`: the write is safe to repeat with its key. `said`: the vendor's own words, if they may be shown.
    """
    unknown = Outcome.UNKNOWN if is_write else None
    not_applied = Outcome.NOT_APPLIED if is_write else None
    repeatable = has_key or not is_write
    wait = reply.retry_after_ms
    match reply.status:
        case 401 | 403:
            error: VendorError = VendorAuthError(
                f"The {system} system refused our credential.", system=system, outcome=not_applied
            )
        case 404 | 410:
            error = VendorNotFoundError(
                said or f"The {system} system has no such object.", system=system, outcome=not_applied
            )
        case 409 | 412:
            error = VendorConflictError(
                said or f"The object in the {system} system has changed or forbids this.",
                system=system,
                outcome=not_applied,
            )
        case 429:
            error = VendorRateLimitedError(
                f"The {system} system limits its rate.", system=system, retry_after_ms=wait, outcome=not_applied
            )
        case 503 if wait is not None:
            error = VendorUnavailableError(
                f"The {system} system is not available.", system=system, retry_after_ms=wait, outcome=not_applied
            )
        case 502 | 503:
            error = VendorUnavailableError(
                f"The {system} system is not available.", system=system, retryable=repeatable, outcome=unknown
            )
        case 408 | 504:
            error = VendorTimeoutError(
                f"The {system} system did not answer in time.", system=system, retryable=repeatable, outcome=unknown
            )
        case status if 400 <= status < 500:
            error = VendorRejectedError(
                said or f"The {system} system refused the request.", system=system, outcome=not_applied
            )
        case status if status >= 500:
            error = VendorFailedError(
                f"The {system} system failed.", system=system, retryable=repeatable, outcome=unknown
            )
        case _:
            error = VendorBadResponseError(
                f"The {system} system answered with an unexpected status.",
                system=system,
                retryable=not is_write,
                outcome=unknown,
            )
    error.reply = reply
    return error
