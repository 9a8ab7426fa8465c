"""What configures who may call, as the table `[access]` of the configuration has it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "Ed448", "EdDSA"
]
"""Signatures by a private key, which the gateway never holds. What a shared secret signs, or nothing, is never accepted."""

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AccessPolicy(StrEnum):
    """Who may call without credentials."""

    PRODUCTION = "production"
    """Nobody, unless `anonymous` lets everybody read what the schema does not protect."""
    DEVELOPMENT = "development"
    """Everybody, and everything is allowed: for sandboxes on one machine."""


class ClaimSettings(_Table):
    """Names of an issuer's claims. `realm_access.roles` steps into an object."""

    tenant: str = "tenant"
    scopes: str = "scope"
    """A text of scopes with spaces between them, or a list."""
    roles: str = "roles"
    contract: str = "contract"
    filters: Mapping[str, str] = Field(default_factory=lambda: {"region": "regions", "business_unit": "business_units"})
    """Dimension → the claim with the values that the caller's data is confined to."""


class IssuerSettings(_Table):
    """An issuer of tokens. <https://www.rfc-editor.org/rfc/rfc9068>"""

    issuer: str = Field(min_length=1)
    """The `iss` of its tokens, letter by letter."""
    audience: tuple[str, ...] = Field(min_length=1)
    """A token's `aud` must name one of these."""
    algorithms: tuple[Algorithm, ...] = Field(min_length=1)
    jwks_url: str | None = None
    """Where its public keys are. https, or any loopback address."""
    jwks: Path | None = None
    """A file with its public keys, instead of a URL."""
    leeway_s: float = Field(30.0, ge=0, le=300)
    """How far its clock and ours may be apart."""
    refresh_s: float = Field(300.0, gt=0)
    """Keys are read again after this."""
    cool_down_s: float = Field(10.0, gt=0)
    """Least time between two readings, whatever tokens ask for."""
    stale_s: float = Field(3600.0, gt=0)
    """How long the last known keys are trusted while they can't be read again; then nobody of this issuer is let in."""
    scopes: tuple[str, ...] | None = None
    """What its tokens can grant at most; absent: anything."""
    claims: ClaimSettings = Field(default_factory=ClaimSettings)

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if (self.jwks_url is None) == (self.jwks is None):
            raise ValueError("needs either `jwks_url` or `jwks`, not both")
        if self.jwks_url is not None:
            parts = urlsplit(self.jwks_url)
            if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
                raise ValueError(f"`jwks_url` must start with https://, not {self.jwks_url!r}")
        return self


class KeySettings(_Table):
    """A service key of a machine. `concord access key NAME` makes one."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", repr=False)
    """SHA-256 of the key in hexadecimal; the key itself is kept by the machine alone."""
    scopes: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    tenant: str | None = None
    contract: str | None = None
    filters: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    expires_at: float | None = None
    """Unix seconds after which it is refused."""


class AccessSettings(_Table):
    """Who may call."""

    policy: AccessPolicy = AccessPolicy.PRODUCTION
    anonymous: bool = False
    """Whether callers without credentials may read what the schema does not protect."""
    issuers: Mapping[str, IssuerSettings] = Field(default_factory=dict)
    keys: Mapping[str, KeySettings] = Field(default_factory=dict)
    policies: str | None = Field(None, pattern=r"^[\w.]+:\w+$")
    """`package.module:Name` of the class that decides `@policy`; without one, a policy is a role's name."""
    classes: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    """Classification (`@classified(as: "PII")`) → roles that read such fields as they are; others get texts masked."""
    failed_logins_per_min: int | None = Field(None, ge=1)
    """Attempts with bad credentials that one address, or one beginning of a service key, may make; then it has to wait. Leave
    it to the proxy where one hides whom requests come from: all would be one."""
    revoked: Path | None = None
    """A file of credentials taken back before they expire, followed as it changes."""

    @property
    def lets_somebody_in(self) -> bool:
        """Whether there is anybody who could call."""
        return bool(self.anonymous or self.policy is AccessPolicy.DEVELOPMENT or self.issuers or self.keys)

    @model_validator(mode="after")
    def _tells_issuers_apart(self) -> Self:
        seen: set[str] = set()
        for each in self.issuers.values():
            if each.issuer in seen:
                raise ValueError(f"two issuers are called {each.issuer!r}")
            seen.add(each.issuer)
        return self
