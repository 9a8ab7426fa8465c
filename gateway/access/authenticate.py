"""Find out who is asking from the credentials that came with a request or a connection."""

from __future__ import annotations

import hmac
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from gateway.access.attempts import SOURCE, UNKNOWN, Attempts
from gateway.access.caller import ANONYMOUS, DEVELOPER, Caller
from gateway.access.claims import caller_of
from gateway.access.revocations import Credential, RevocableLease, Revocations
from gateway.access.settings import AccessPolicy, AccessSettings, IssuerSettings
from gateway.access.token import TokenRefused, check_claims, read_token, verify_signature
from gateway.errors import GatewayError

if TYPE_CHECKING:
    from gateway.access.jwks import Keys

_LOG = logging.getLogger("concord.access")

KEY_HEADER = "x-api-key"

_MOST_VERIFIED = 10_000


class Authenticate(Protocol):
    """A policy of who may call: one of them stands at the door, the same for every transport."""

    async def __call__(self, headers: Mapping[str, str]) -> Caller:
        """Return the caller whom these credentials prove.

        `headers` has lower-case names: a request's own, or those of a WebSocket's handshake with the string values of
        `connection_init`'s payload (or of its `headers`) laid over them.

        Raises `GatewayError` with UNAUTHENTICATED, FORBIDDEN or AUTH_UNAVAILABLE.
        """


async def allow_anonymous(headers: Mapping[str, str]) -> Caller:  # noqa: ARG001 - this policy asks for nothing
    """Let everybody in as nobody in particular, with no rights beyond what the schema leaves open."""
    return ANONYMOUS


@dataclass(frozen=True, slots=True)
class _Issuer:
    name: str
    settings: IssuerSettings
    keys: Keys


@dataclass(frozen=True, slots=True)
class _Verified:
    """A token that was accepted, and what that rests on."""

    caller: Caller
    keys: Keys
    generation: int
    revocations: int
    not_before: float


class Credentials:
    """The door's policy by configuration: tokens of known issuers, service keys, and what happens without either.

    A token's signature is verified once; until it expires, its keys change or something is revoked, it is enough to
    know it again.
    """

    def __init__(self, settings: AccessSettings, revocations: Revocations) -> None:
        self._nobody = DEVELOPER if settings.policy is AccessPolicy.DEVELOPMENT else ANONYMOUS
        self._asks_everybody = not (settings.anonymous or settings.policy is AccessPolicy.DEVELOPMENT)
        self._revocations = revocations
        self._attempts = Attempts(settings.failed_logins_per_min)
        self._issuers = {each.issuer: _Issuer(name, each, _keys(name, each)) for name, each in settings.issuers.items()}
        self._machines = [
            (
                each.sha256,
                Caller(
                    subject=name,
                    issuer="service-key",
                    tenant=each.tenant,
                    scopes=frozenset(each.scopes),
                    roles=frozenset(each.roles),
                    filters=each.filters,
                    contract=each.contract,
                    expires_at=each.expires_at,
                    lease=self._lease(Credential(subject=name, key=name)),
                ),
            )
            for name, each in settings.keys.items()
        ]
        self._verified: OrderedDict[str, _Verified] = OrderedDict()
        """By the token itself, which a subgraph may have to be told: its hash would keep no secret and cost more."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow revocations, and release what reads keys at the end."""
        async with self._revocations.followed():
            try:
                yield
            finally:
                for issuer in self._issuers.values():
                    await issuer.keys.aclose()

    async def __call__(self, headers: Mapping[str, str]) -> Caller:
        """Return the caller; see `Authenticate`."""
        given = headers.get("authorization")
        key = headers.get(KEY_HEADER)
        if given is not None:
            if key is not None:
                raise _refused("Send one kind of credentials, a token or a key.", error="invalid_request")
            scheme, _, token = given.partition(" ")
            if scheme.lower() != "bearer":
                raise _refused("Send a token as `Authorization: Bearer …`.", error="invalid_request")
            text = token.strip()
            known = self._by_known(text)
            return known or await self._guarded(headers, (), lambda: self._by_token(text))
        if key is not None:
            return await self._guarded(headers, (f"key {key[:8]}",), lambda: self._by_key(key))
        if self._asks_everybody:
            raise _refused("Credentials are missing.")
        return self._nobody

    def known(self, headers: Mapping[str, str]) -> Caller | None:
        """Return the caller at once, where a token says who it is and was verified before; None asks for a call."""
        given = headers.get("authorization")
        if given is None or not given.startswith("Bearer ") or KEY_HEADER in headers:
            return None
        return self._by_known(given[7:])

    def _by_known(self, text: str) -> Caller | None:
        known = self._verified.get(text)
        if known is None:
            return None
        keys, caller = known.keys, known.caller
        now = monotonic()  # what event loops' clocks show
        if (
            known.generation == keys.generation
            and known.revocations == self._revocations.version
            and (now < keys.fresh_until or keys.are_trusted(now))
            and known.not_before <= time.time() < (caller.expires_at or 0.0)
        ):
            self._verified.move_to_end(text)
            return caller
        del self._verified[text]
        return None

    async def _guarded(
        self, headers: Mapping[str, str], guessed: tuple[str, ...], look_up: Callable[[], Awaitable[Caller]]
    ) -> Caller:
        """Look credentials up, unless whoever sends them has failed too often."""
        source = headers.get(SOURCE)
        if source == UNKNOWN:
            if self._attempts.is_wary:
                raise _refused("It matters who asks, and this is the way that doesn't know.")
            return await look_up()
        who = (*guessed, f"from {source}") if source else guessed
        self._attempts.check(who)
        try:
            return await look_up()
        except GatewayError as error:
            if error.code == "UNAUTHENTICATED":
                self._attempts.note(who)
            raise

    async def _by_token(self, text: str) -> Caller:
        try:
            verified = await self._verify(text)
        except TokenRefused as refused:
            raise _refused(str(refused), error="invalid_token") from None
        self._verified[text] = verified
        if len(self._verified) > _MOST_VERIFIED:
            self._verified.popitem(last=False)
        return verified.caller

    async def _verify(self, text: str) -> _Verified:
        token = read_token(text)
        issuer = self._issuers.get(token.issuer)
        if issuer is None:
            raise TokenRefused("The token is of an issuer that isn't known here.")
        if token.algorithm not in issuer.settings.algorithms:
            raise TokenRefused("The token is signed in a way that isn't accepted.")
        # Before the keys are asked for: what is written on the token must not be able to change in between.
        version = self._revocations.version
        key = await issuer.keys.find(token.kid, token.algorithm)
        if key is None:
            raise TokenRefused("The token is signed by a key that isn't known.")
        generation = issuer.keys.generation
        claims = verify_signature(token, key, issuer.settings)
        now = time.time()
        expires_at = check_claims(claims, issuer.settings, now)
        identity, issued_at = claims.get("jti"), claims.get("iat")
        credential = Credential(
            subject=claims["sub"],
            issuer=issuer.name,
            token_id=identity if isinstance(identity, str) else None,
            issued_at=issued_at,
        )
        if self._revocations.holds(credential):
            raise TokenRefused("The token was revoked.")
        caller = caller_of(
            claims, issuer.name, issuer.settings, token=text, expires_at=expires_at, lease=self._lease(credential)
        )
        return _Verified(caller, issuer.keys, generation, version, now - issuer.settings.leeway_s)

    async def _by_key(self, key: str) -> Caller:
        digest = sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        found: Caller | None = None
        for known, caller in self._machines:
            if hmac.compare_digest(known, digest):
                found = caller
        if found is None or (found.expires_at is not None and time.time() >= found.expires_at):
            raise _refused("The service key is not valid.", error="invalid_token")
        if found.lease is not None and found.lease.is_revoked:
            raise _refused("The service key was revoked.", error="invalid_token")
        return found

    def _lease(self, credential: Credential) -> RevocableLease | None:
        return RevocableLease(credential, self._revocations) if self._revocations.can_change else None


def _keys(name: str, settings: IssuerSettings) -> Keys:
    from gateway.access.jwks import Keys, KeysAtUrl, KeysInFile, KeyTimes  # noqa: PLC0415 - loads what verifies tokens

    times = KeyTimes(settings.refresh_s, settings.cool_down_s, settings.stale_s)
    if settings.jwks is not None:
        return Keys(name, KeysInFile(settings.jwks), times)
    assert settings.jwks_url is not None
    return Keys(name, KeysAtUrl(settings.jwks_url), times)


def _refused(message: str, *, error: str | None = None) -> GatewayError:
    challenge = 'Bearer realm="concord"' + (f', error="{error}"' if error else "")
    return GatewayError("UNAUTHENTICATED", message, headers={"WWW-Authenticate": challenge})
