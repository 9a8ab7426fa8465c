"""The caller: whom a request is answered for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.access.lease import Lease


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whoever sent a request, as far as its credentials prove. Frozen, so one may be kept per token."""

    subject: str | None = None
    """Who: the token's `sub`, or the name of a service key. None for an anonymous caller."""
    tenant: str | None = None
    scopes: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What the caller's data is confined to, by dimension: `{"region": ("EU",)}`. A dimension that is absent confines
    nothing; one without values leaves nothing."""
    claims: Mapping[str, Any] = field(default_factory=dict)
    """The verified claims as they came, for policies."""
    token: str | None = field(default=None, repr=False)
    """The credential itself, for subgraphs to which it is configured to be forwarded."""
    expires_at: float | None = None
    """Unix seconds after which a long-lived connection of this caller is closed."""
    issuer: str | None = None
    """Configured name of the issuer that vouches for the subject: two issuers may know an `ada` each."""
    contract: str | None = None
    """The one variant of the graph that the caller may use; None: any."""
    is_unrestricted: bool = False
    """Whether everything is allowed, as in the development policy. No claim of a token gives this."""
    is_background: bool = False
    """Whether Concord itself asks, at its own pace: its documents need no manifest, and systems answer people first."""
    lease: Lease | None = field(default=None, compare=False, repr=False)
    """Tells when the credentials are revoked; None where they can't be."""
    rights: str = field(init=False)
    """Equal exactly where two requests may share an answer: same issuer, subject, tenant, credential and grants."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "rights", self._digest())

    def _digest(self) -> str:
        if self.subject is None and self.token is None and not (self.is_unrestricted or self.filters or self.scopes):
            return ""
        parts = (
            self.issuer,
            self.subject,
            self.tenant,
            self.token,
            sorted(self.scopes),
            sorted(self.roles),
            sorted((name, list(values)) for name, values in self.filters.items()),
            self.is_unrestricted,
            self.contract,
            self.is_background,
        )
        return hashlib.sha256(orjson.dumps(parts)).hexdigest()


ANONYMOUS = Caller()
"""A caller without credentials."""

DEVELOPER = Caller(is_unrestricted=True)
"""Whoever asks without credentials in the development policy: everything is allowed."""
