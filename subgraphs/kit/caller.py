"""Who asks, as the gateway says: the header `X-Concord-Caller`, which only the gateway can sign.

    {"iss": "concord", "aud": "erp", "exp": 1767225720, "sub": "ada", "tenant": "acme",
     "scopes": ["revenue:read"], "roles": ["finance"], "filters": {"region": ["EU"]}}

A JSON Web Token under HS256; the key is the SHA-256 of `concord caller` and a zero byte, then the shared secret.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

HEADER = "x-concord-caller"

_PURPOSE = b"concord caller\0"
_ISSUER = "concord"
_MAX_CHARACTERS = 64_000
_MOST_KNOWN = 1_000


class CallerInvalidError(Exception):
    """The header is missing, or not what the gateway signs for this subgraph."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whom the gateway asks for."""

    subject: str | None = None
    """None: somebody without credentials."""
    tenant: str | None = None
    scopes: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What the caller's data is confined to, by dimension; see `allowed`."""
    is_unrestricted: bool = False
    """Whether everything is allowed."""
    is_background: bool = False
    """Whether it can wait while people are answered: the gateway's own work, such as reconciliation."""

    def allowed(self, dimension: str) -> frozenset[str] | None:
        """Return the values of a dimension (`region`) that the caller may see; None: all."""
        values = self.filters.get(dimension)
        return None if values is None or self.is_unrestricted else frozenset(values)

    def has_role(self, *roles: str) -> bool:
        """Whether the caller has one of these roles, or may do everything."""
        return self.is_unrestricted or not self.roles.isdisjoint(roles)


@dataclass(slots=True)
class CallerReader:
    """Reads the header for one subgraph; a header that was verified is known until it expires."""

    secret: str
    subgraph: str
    _known: OrderedDict[str, tuple[float, Caller]] = field(default_factory=OrderedDict)

    def read(self, header: str) -> Caller:
        """Return the caller. Raises CallerInvalidError."""
        known = self._known.get(header)
        now = time.time()
        if known is not None and now < known[0]:
            return known[1]
        if len(header) > _MAX_CHARACTERS:
            raise CallerInvalidError
        key = OctKey.import_key(sha256(_PURPOSE + self.secret.encode()).digest())
        try:
            signed = jws.deserialize_compact(header, key, algorithms=["HS256"])
            claims = orjson.loads(signed.payload)
        except (JoseError, ValueError, TypeError) as error:
            raise CallerInvalidError from error
        match claims:
            case {"iss": str(issuer), "aud": str(audience), "exp": int(expires_at)}:
                pass
            case _:
                raise CallerInvalidError
        if issuer != _ISSUER or audience != self.subgraph or now >= expires_at:
            raise CallerInvalidError
        caller = _caller(claims)
        self._known[header] = (expires_at, caller)
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        return caller


def _caller(claims: Mapping[str, Any]) -> Caller:
    return Caller(
        subject=claims.get("sub"),
        tenant=claims.get("tenant"),
        scopes=frozenset(claims.get("scopes", ())),
        roles=frozenset(claims.get("roles", ())),
        filters={name: tuple(values) for name, values in claims.get("filters", {}).items()},
        is_unrestricted=claims.get("unrestricted") is True,
        is_background=claims.get("background") is True,
    )
