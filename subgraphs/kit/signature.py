"""The signature between our own processes: `X-Concord-Signature: t=<unix seconds>,v1=<hex hmac-sha256>`.

The HMAC is over `"{t}." + body` with the shared secret; a signature is good for 300 seconds either way.
"""

from __future__ import annotations

import hashlib
import hmac
import time

HEADER = "X-Concord-Signature"
TOLERANCE_S = 300


class SignatureInvalidError(Exception):
    """The signature is missing, malformed, of another body or secret, or too old. `reason` is safe to show."""

    code = "SIGNATURE_INVALID"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def sign(secret: str, body: bytes, *, at: float | None = None) -> str:
    """Return the header's value for `body`, signed at `at` (unix seconds; default: this moment)."""
    moment = int(time.time() if at is None else at)
    return f"t={moment},v1={_digest(secret, moment, body)}"


def verify(secret: str, body: bytes, header: str | None, *, at: float | None = None) -> None:
    """Return if `header` signs `body`. Raises SignatureInvalidError otherwise."""
    if not header:
        raise SignatureInvalidError("The signature header is missing.")
    parts = dict(part.strip().partition("=")[::2] for part in header.split(","))
    stamp = parts.get("t", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        raise SignatureInvalidError("The signature header is malformed.")
    if abs((time.time() if at is None else at) - int(stamp)) > TOLERANCE_S:
        raise SignatureInvalidError("The signature is too old or from the future.")
    if not hmac.compare_digest(_digest(secret, int(stamp), body).encode(), parts.get("v1", "").encode()):
        raise SignatureInvalidError("The signature does not match the body and the shared secret.")


def _digest(secret: str, moment: int, body: bytes) -> str:
    return hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
