"""The signature between our own processes: `X-Concord-Signature: t=<unix seconds>,v1=<hex hmac-sha256 of "t." + body>`."""

from __future__ import annotations

import hashlib
import hmac
import re

SIGNATURE_HEADER = "x-concord-signature"
_WINDOW_S = 300
_FORM = re.compile(r"t=(\d{1,12}),v1=([0-9a-f]{64})")


def signature_holds(header: str | None, body: bytes, *, secret: str, now: float) -> bool:
    """Say whether a header signs this body with the secret, at most 300 s from `now` (unix seconds)."""
    match = _FORM.fullmatch(header or "")
    if match is None or abs(now - int(match[1])) > _WINDOW_S:
        return False
    expected = hmac.new(secret.encode(), f"{match[1]}.".encode() + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, match[2])
