"""Refuse requests that a page on another site could make a browser send without asking first."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from gateway.errors import GatewayError

_SIMPLE_MEDIA_TYPES = frozenset({"", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain"})
_PREFLIGHTED_HEADERS = ("apollo-require-preflight", "x-apollo-operation-name", "x-requested-with")


class CsrfPolicy(StrEnum):
    """How much proof a request must bring that no foreign page made it."""

    STRICT = "strict"
    """A header that makes browsers ask first (a preflight), on every request."""
    FETCH_METADATA = "fetch-metadata"
    """A preflighted header only where the browser itself says that another site sent the request."""
    OFF = "off"


def prevent_csrf(headers: Mapping[str, str], policy: CsrfPolicy) -> None:
    """Refuse a request that needs no preflight, by the policy. `headers` has lower-case names.

    A request needs a preflight when its content type is not a form's or plain text's, or when it has one of the headers
    Apollo-Require-Preflight, X-Apollo-Operation-Name and X-Requested-With.
    <https://fetch.spec.whatwg.org/#cors-safelisted-request-header>

    Raises `GatewayError` with CSRF_PREVENTED.
    """
    if policy is CsrfPolicy.OFF:
        return
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in _SIMPLE_MEDIA_TYPES or any(headers.get(name) for name in _PREFLIGHTED_HEADERS):
        return
    if policy is CsrfPolicy.STRICT or headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        raise GatewayError("CSRF_PREVENTED")
