"""Tell subgraphs who asks: a header that only the gateway can sign.

    X-Concord-Caller: <JSON Web Token, HS256>
    {"iss": "concord", "aud": "erp", "exp": 1767225720, "sub": "ada", "tenant": "acme",
     "scopes": ["revenue:read"], "roles": ["finance"], "filters": {"region": ["EU"]}}

Without grants or filters there are no such claims. A caller to whom everything is allowed (the development policy) is
`"unrestricted": true`, without filters; one who can wait while people are answered is `"background": true`. The key is
the SHA-256 of `concord caller` and a zero byte, then the internal secret, so that no other signature of ours can pass for this one.
"""

from __future__ import annotations

import hmac
import time
from base64 import urlsafe_b64encode
from hashlib import sha256

import orjson

from gateway.access.caller import Caller
from gateway.execution.ports import CallerView

HEADER = "x-concord-caller"
ISSUER = "concord"
VALID_S = 120
"""A header that leaks is of no use after this."""

_KEPT_S = 15.0
"""Callers' headers are kept for this to twice this."""
_MOST_KEPT = 5_000
"""So many of an age; twice as many in all."""
_PURPOSE = b"concord caller\0"


class CallerSigner:
    """Signs callers for one subgraph. A caller's header is kept for a while: signing costs more than sending it.

    What was made lately is one dictionary and what was made before it another, which is forgotten as a whole: headers of
    callers who are gone take no memory.
    """

    def __init__(self, secret: str, subgraph: str) -> None:
        self._key = sha256(_PURPOSE + secret.encode()).digest()
        self._subgraph = subgraph
        self._young: dict[str, str] = {}
        self._old: dict[str, str] = {}
        self._turns_at = 0.0

    def __call__(self, caller: CallerView) -> tuple[str, str]:
        """Return the header that names the caller: name and value."""
        now = time.time()
        if now < self._turns_at and (signed := self._young.get(caller.rights)) is not None:
            return HEADER, signed
        if now >= self._turns_at or len(self._young) >= _MOST_KEPT:
            # What was made before the last turn but one may be too old after a pause.
            self._old = self._young if now < self._turns_at + _KEPT_S else {}
            self._young, self._turns_at = {}, now + _KEPT_S
        signed = self._young.get(caller.rights) or self._old.get(caller.rights)
        if signed is None:
            signed = self._young[caller.rights] = self._sign(caller, now)
        return HEADER, signed

    def _sign(self, caller: CallerView, now: float) -> str:
        claims: dict[str, object] = {"iss": ISSUER, "aud": self._subgraph, "exp": int(now) + VALID_S}
        if caller.subject is not None:
            claims["sub"] = caller.subject
        if caller.tenant is not None:
            claims["tenant"] = caller.tenant
        if isinstance(caller, Caller):
            # What there is none of is left out: the headers of those seen lately are most of what is kept of them.
            if caller.scopes:
                claims["scopes"] = sorted(caller.scopes)
            if caller.roles:
                claims["roles"] = sorted(caller.roles)
            if caller.filters:
                claims["filters"] = {name: list(values) for name, values in caller.filters.items()}
            if caller.is_unrestricted:
                claims["unrestricted"] = True
            if caller.is_background:
                claims["background"] = True
        # By hand: whoever only signs by HMAC need not hold a library of all algorithms.
        signed = _PROTECTED + b"." + _encoded(orjson.dumps(claims))
        return (signed + b"." + _encoded(hmac.digest(self._key, signed, "sha256"))).decode()


def _encoded(part: bytes) -> bytes:
    return urlsafe_b64encode(part).rstrip(b"=")


_PROTECTED = _encoded(b'{"alg":"HS256","typ":"JWT"}')
"""The head of every such token. <https://www.rfc-editor.org/rfc/rfc7515>"""
