"""The caller: whom a request is answered for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whoever sent a request, as far as its credentials prove. Frozen, so one may be kept per token."""

    subject: str | None = None
    """Who: the token's `sub`, or the name of an API key. None for an anonymous caller."""
    tenant: str | None = None
    scopes: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = field(default_factory=dict)
    """The verified claims as they came, for policies and rate limits."""
    token: str | None = field(default=None, repr=False)
    """The credential itself, for subgraphs to which it is configured to be forwarded."""
    expires_at: float | None = None
    """Unix seconds after which a long-lived connection of this caller is closed."""
    rights: str = field(init=False)
    """Equal exactly where two requests may share an answer: same subject, tenant and credential."""

    def __post_init__(self) -> None:
        if self.subject is None and self.token is None:
            rights = ""
        else:
            parts = (self.subject or "", self.tenant or "", self.token or "", *sorted(self.scopes), *sorted(self.roles))
            rights = hashlib.sha256("\0".join(parts).encode()).hexdigest()
        object.__setattr__(self, "rights", rights)


ANONYMOUS = Caller()
"""A caller without credentials."""
