"""What configures who may call, as the table `[access]` of the configuration has it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from msgspec import Meta, field

from gateway.table import Table

Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "Ed448", "EdDSA"
]
"""Signatures by a private key, which the gateway never holds. What a shared secret signs, or nothing, is never accepted."""

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class AccessPolicy(StrEnum):
    """Who may call without credentials."""

    PRODUCTION = "production"
    """Nobody, unless `anonymous` lets everybody read what the schema does not protect."""
    DEVELOPMENT = "development"
    """Everybody, and everything is allowed: for sandboxes on one machine."""


class ClaimSettings(Table, frozen=True, kw_only=True):
    """Names of an issuer's claims. `realm_access.roles` steps into an object."""

    tenant: str = "tenant"
    scopes: str = "scope"
    """A text of scopes with spaces between them, or a list."""
    roles: str = "roles"
    contract: str = "contract"
    filters: Mapping[str, str] = field(default_factory=lambda: {"region": "regions", "business_unit": "business_units"})
    """Dimension → the claim with the values that the caller's data is confined to."""


class IssuerSettings(Table, frozen=True, kw_only=True):
    """An issuer of tokens. <https://www.rfc-editor.org/rfc/rfc9068>"""

    issuer: Annotated[str, Meta(min_length=1)]
    """The `iss` of its tokens, letter by letter."""
    audience: Annotated[tuple[str, ...], Meta(min_length=1)]
    """A token's `aud` must name one of these."""
    algorithms: Annotated[tuple[Algorithm, ...], Meta(min_length=1)]
    jwks_url: str | None = None
    """Where its public keys are. https, or any loopback address."""
    jwks: Path | None = None
    """A file with its public keys, instead of a URL."""
    leeway_s: Annotated[float, Meta(ge=0, le=300)] = 30.0
    """How far its clock and ours may be apart."""
    refresh_s: Annotated[float, Meta(gt=0)] = 300.0
    """Keys are read again after this."""
    cool_down_s: Annotated[float, Meta(gt=0)] = 10.0
    """Least time between two readings, whatever tokens ask for."""
    stale_s: Annotated[float, Meta(gt=0)] = 3600.0
    """How long the last known keys are trusted while they can't be read again; then nobody of this issuer is let in."""
    scopes: tuple[str, ...] | None = None
    """What its tokens can grant at most; absent: anything."""
    claims: ClaimSettings = ClaimSettings()

    def __post_init__(self) -> None:
        if (self.jwks_url is None) == (self.jwks is None):
            raise ValueError("needs either `jwks_url` or `jwks`, not both")
        if self.jwks_url is not None:
            parts = urlsplit(self.jwks_url)
            if not parts.hostname or parts.port == 0:  # reading the port raises ValueError where it is none
                raise ValueError(f"`jwks_url` names no server: {self.jwks_url!r}")
            if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
                raise ValueError(f"`jwks_url` must start with https://, not {self.jwks_url!r}")


class KeySettings(Table, frozen=True, kw_only=True):
    """A service key of a machine. `concord access key NAME` makes one."""

    hidden: ClassVar[frozenset[str]] = frozenset({"sha256"})

    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of the key in hexadecimal; the key itself is kept by the machine alone."""
    scopes: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    tenant: str | None = None
    contract: str | None = None
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    expires_at: float | None = None
    """Unix seconds after which it is refused."""


class AccessSettings(Table, frozen=True, kw_only=True):
    """Who may call."""

    policy: AccessPolicy = AccessPolicy.PRODUCTION
    anonymous: bool = False
    """Whether callers without credentials may read what the schema does not protect."""
    issuers: Mapping[str, IssuerSettings] = field(default_factory=dict)
    keys: Mapping[str, KeySettings] = field(default_factory=dict)
    policies: Annotated[str, Meta(pattern=r"^[\w.]+:\w+$")] | None = None
    """`package.module:Name` of the class that decides `@policy`; without one, a policy is a role's name."""
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Classification (`@classified(as: "PII")`) → roles that read such fields as they are; others get texts masked."""
    failed_logins_per_min: Annotated[int, Meta(ge=1)] | None = None
    """Attempts with bad credentials that one address, or one beginning of a service key, may make; then it has to wait. Leave
    it to the proxy where one hides whom requests come from: all would be one."""
    revoked: Path | None = None
    """A file of credentials taken back before they expire, followed as it changes. It may be missing at the start; one that
    disappears later lets nobody in again, an empty one does."""

    @property
    def lets_somebody_in(self) -> bool:
        """Whether there is anybody who could call."""
        return bool(self.anonymous or self.policy is AccessPolicy.DEVELOPMENT or self.issuers or self.keys)

    def by_policy(self, configured: bool | None) -> bool:
        """Return whether something holds that is on in the development policy only, where nothing else is configured."""
        return self.policy is AccessPolicy.DEVELOPMENT if configured is None else configured

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for each in self.issuers.values():
            if each.issuer in seen:
                raise ValueError(f"two issuers are called {each.issuer!r}")
            seen.add(each.issuer)
