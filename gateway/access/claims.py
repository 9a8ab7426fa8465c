"""From verified claims to a caller: which claim says what is the issuer's configuration."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from gateway.access.caller import Caller
from gateway.access.lease import Lease
from gateway.access.settings import IssuerSettings
from gateway.access.token import TokenClaims, TokenRefused

_MAX_GRANTS = 500
_NO_FILTERS: Mapping[str, tuple[str, ...]] = {}


def caller_of(
    claims: Mapping[str, Any],
    name: str,
    settings: IssuerSettings,
    *,
    token: str,
    expires_at: float,
    lease: Lease | None,
) -> Caller:
    """Return the caller whom claims describe. Raises TokenRefused where one has another shape than agreed.

    A claim of the wrong shape must not be read as "none": a filter that was missed would confine nothing.
    """
    names = settings.claims
    granted = _words(claims, names.scopes)
    if settings.scopes is not None:
        granted = tuple(each for each in granted if each in settings.scopes)
    filters = {
        dimension: _words(claims, claim) for dimension, claim in names.filters.items() if _at(claims, claim) is not None
    }
    return Caller(
        subject=claims["sub"],
        issuer=name,
        tenant=_text(claims, names.tenant),
        contract=_text(claims, names.contract),
        scopes=_grants(granted),
        roles=_grants(_words(claims, names.roles)),
        filters=filters or _NO_FILTERS,
        claims=TokenClaims(token),
        token=token,
        expires_at=expires_at,
        lease=lease,
    )


@lru_cache(maxsize=256)
def _grants(words: tuple[str, ...]) -> frozenset[str]:
    """Return grants as a set, the same one for all who have the same: many callers do, and an empty set takes 216 bytes."""
    return frozenset(words)


def _at(claims: Mapping[str, Any], path: str) -> Any:
    if path in claims:  # some issuers' names are URLs, with dots in them
        return claims[path]
    value: Any = claims
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _words(claims: Mapping[str, Any], path: str) -> tuple[str, ...]:
    match _at(claims, path):
        case None:
            return ()
        case str(text):
            words = text.split()
        case list(items) if all(isinstance(item, str) for item in items):
            words = items
        case _:
            raise TokenRefused(f"The token's `{path}` is neither a text nor a list of texts.")
    if len(words) > _MAX_GRANTS:
        raise TokenRefused(f"The token's `{path}` has more than {_MAX_GRANTS} entries.")
    return tuple(sorted(set(words)))


def _text(claims: Mapping[str, Any], path: str) -> str | None:
    value = _at(claims, path)
    if value is not None and not isinstance(value, str):
        raise TokenRefused(f"The token's `{path}` is no text.")
    return value
