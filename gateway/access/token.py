"""A bearer token: what it says, looked at before and after its signature is verified.

<https://www.rfc-editor.org/rfc/rfc7519>, <https://www.rfc-editor.org/rfc/rfc8725>
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from gateway.access.settings import IssuerSettings

if TYPE_CHECKING:
    from gateway.access.jwks import PublicKey

MAX_CHARACTERS = 8_192

_MAX_NAME = 256
_KINDS = frozenset({"jwt", "at+jwt", "application/at+jwt"})
_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


class TokenRefused(Exception):  # noqa: N818 - reads as what it is
    """The token is not accepted; the text is safe to show."""


@dataclass(frozen=True, slots=True)
class UnverifiedToken:
    """A token's parts. Nothing here is proven: it only says whom to ask."""

    text: str
    algorithm: str
    kid: str | None
    issuer: str


class TokenClaims(Mapping[str, Any]):
    """The claims of a token that was verified, read anew whenever somebody looks.

    Hardly anybody does, and of each caller they would take more memory than all else that is kept of it.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __getitem__(self, name: str) -> Any:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def _read(self) -> Mapping[str, Any]:
        return _decoded(self._text.split(".")[1])


def read_token(text: str) -> UnverifiedToken:
    """Return the parts of a compact token. Raises TokenRefused for anything else, quickly."""
    if len(text) > MAX_CHARACTERS:
        raise TokenRefused(f"The token is longer than {MAX_CHARACTERS} characters.")
    parts = text.split(".")
    if len(parts) != 3 or not all(parts) or not _BASE64.issuperset(text.replace(".", "")):
        raise TokenRefused("The token is not a signed JSON Web Token.")
    header, claims = _decoded(parts[0]), _decoded(parts[1])
    match header, claims:
        case {"alg": str(algorithm)}, {"iss": str(issuer)}:
            pass
        case _:
            raise TokenRefused("The token lacks its algorithm or issuer.")
    # `crit` and `b64` change what the rest means; nothing that could be critical is understood here.
    if "crit" in header or "b64" in header:
        raise TokenRefused("The token has a critical extension that isn't understood.")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in _KINDS:
        raise TokenRefused("The token is of another kind than an access token.")
    kid = header.get("kid")
    if kid is not None and not (isinstance(kid, str) and 0 < len(kid) <= _MAX_NAME):
        raise TokenRefused("The token names its key in an unusual way.")
    return UnverifiedToken(text, algorithm, kid, issuer)


def verify_signature(token: UnverifiedToken, key: PublicKey, settings: IssuerSettings) -> Mapping[str, Any]:
    """Return the claims that the key signed. Raises TokenRefused."""
    # Heavy, and who has a key has loaded it.
    from joserfc import jws  # noqa: PLC0415
    from joserfc.errors import JoseError  # noqa: PLC0415

    try:
        signed = jws.deserialize_compact(
            token.text,
            key,
            registry=jws.JWSRegistry(algorithms=list(settings.algorithms), strict_check_header=False),
        )
    except (JoseError, ValueError, TypeError) as error:
        raise TokenRefused("The token's signature is not valid.") from error
    claims = _object(signed.payload)
    if claims.get("iss") != settings.issuer:
        raise TokenRefused("The token is of another issuer.")
    return claims


def check_claims(claims: Mapping[str, Any], settings: IssuerSettings, now: float) -> float:
    """Return when the token expires, in unix seconds. Raises TokenRefused where it isn't for us or not for now."""
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    if not any(isinstance(each, str) and each in settings.audience for each in named):
        raise TokenRefused("The token is meant for another audience.")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _MAX_NAME or not subject.isprintable():
        raise TokenRefused("The token has no subject.")
    expires_at = _instant(claims, "exp")
    if expires_at is None:
        raise TokenRefused("The token never expires, which isn't accepted.")
    if now >= expires_at + settings.leeway_s:
        raise TokenRefused("The token has expired.")
    for name in ("nbf", "iat"):
        begins_at = _instant(claims, name)
        if begins_at is not None and now < begins_at - settings.leeway_s:
            raise TokenRefused("The token is not valid yet.")
    return expires_at + settings.leeway_s


def _instant(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e12:
        raise TokenRefused(f"The token's `{name}` is no instant.")
    return float(value)


def _decoded(part: str) -> Mapping[str, Any]:
    try:
        return _object(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError) as error:
        raise TokenRefused("The token is not a signed JSON Web Token.") from error


def _object(text: bytes) -> Mapping[str, Any]:
    try:
        value = orjson.loads(text)
    except (orjson.JSONDecodeError, RecursionError) as error:
        raise TokenRefused("The token is not a signed JSON Web Token.") from error
    if not isinstance(value, dict):
        raise TokenRefused("The token is not a signed JSON Web Token.")
    return value
