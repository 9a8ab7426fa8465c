"""An issuer's public keys: read once for everybody who waits, read again in time, trusted no longer than agreed.

<https://www.rfc-editor.org/rfc/rfc7517>
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from gateway.errors import GatewayError

if TYPE_CHECKING:
    import httpx2

_LOG = logging.getLogger("concord.access")

PublicKey = RSAKey | ECKey | OKPKey

_MAX_BYTES = 512 << 10
_MAX_KEYS = 100
_TIMEOUT_S = 5.0
_LEAST_RSA_BITS = 2048
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "Ed25519": "Ed25519", "Ed448": "Ed448"}


class KeysUnavailable(Exception):  # noqa: N818 - reads as what it is
    """The keys could not be read; the message is for the log."""


class ReadKeys(Protocol):
    """A place where a key set is."""

    async def __call__(self) -> bytes:
        """Return the key set's JSON text. Raises KeysUnavailable."""

    async def aclose(self) -> None:
        """Release what it holds."""


@dataclass(frozen=True, slots=True)
class _Entry:
    key: PublicKey
    kid: str | None
    algorithm: str | None


@dataclass(frozen=True, slots=True)
class KeyTimes:
    """How long keys are good, in seconds; see `IssuerSettings`."""

    refresh_s: float
    cool_down_s: float
    stale_s: float


class Keys:
    """The keys of one issuer. One for each process and issuer."""

    def __init__(self, name: str, read: ReadKeys, times: KeyTimes) -> None:
        self._name = name
        self._read = read
        self._times = times
        self._entries: tuple[_Entry, ...] = ()
        self._known_at = float("-inf")
        """Event loop's clock of the last successful reading."""
        self._asked_at = float("-inf")
        self._has_failed = False
        self._reading: asyncio.Task[None] | None = None
        self.fresh_until = float("-inf")
        """Event loop's clock; until then they are trusted, and nobody need ask."""
        self.generation = 0
        """Rises when the keys have changed: what an old one signed has to be looked at again."""

    def are_trusted(self, now: float) -> bool:
        """Whether the keys may still be used, at `now` of the event loop's clock; begins to read them again in time."""
        age_s = now - self._known_at
        if age_s >= self._times.refresh_s:
            self._begin_reading(now)
        return age_s < self._times.stale_s

    async def find(self, kid: str | None, algorithm: str) -> PublicKey | None:
        """Return the key that may have signed, or None where there is none.

        A key that isn't known is looked for once more, unless that was just done. Raises GatewayError with
        AUTH_UNAVAILABLE while it can't be known whether there is one.
        """
        now = asyncio.get_running_loop().time()
        if not self.are_trusted(now):
            self._begin_reading(now)
            await self._read_or_refuse()
        found = self._pick(kid, algorithm)
        if found is None and (self._reading is not None or self._begin_reading(now)):
            await self._wait()
            found = self._pick(kid, algorithm)
        if found is None and self._has_failed:
            raise self._unavailable()
        return found

    async def aclose(self) -> None:
        """Stop reading."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        await self._read.aclose()

    async def _read_or_refuse(self) -> None:
        await self._wait()
        if not self.are_trusted(asyncio.get_running_loop().time()):
            raise self._unavailable()

    async def _wait(self) -> None:
        if self._reading is not None:
            # Shielded: one caller's leaving must not take the keys from the others.
            await asyncio.shield(self._reading)

    def _unavailable(self) -> GatewayError:
        return GatewayError("AUTH_UNAVAILABLE", retry_after_ms=max(1_000, round(self._times.cool_down_s * 1000)))

    def _begin_reading(self, now: float) -> bool:
        """Start to read the keys, unless that is under way or was just done. Returns whether a reading is under way."""
        if self._reading is None and now - self._asked_at >= self._times.cool_down_s:
            self._asked_at = now
            self._reading = asyncio.create_task(self._refresh(), name=f"keys of {self._name}")
        return self._reading is not None

    async def _refresh(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            text = await self._read()
            entries = await asyncio.to_thread(parse_keys, text)
        except KeysUnavailable as error:
            self._has_failed = True
            _LOG.warning("keys_unavailable", extra={"issuer": self._name, "reason": str(error)})
        else:
            self._has_failed = False
            self._known_at = loop.time()
            self.fresh_until = self._known_at + self._times.refresh_s
            if [_mark(each) for each in entries] != [_mark(each) for each in self._entries]:
                self.generation += 1
            self._entries = entries
        finally:
            self._reading = None

    def _pick(self, kid: str | None, algorithm: str) -> PublicKey | None:
        fitting = [each for each in self._entries if _fits(each, algorithm)]
        if kid is not None:
            fitting = [each for each in fitting if each.kid == kid]
        # Without a name, or with one that several have, only a lone key can be meant.
        return fitting[0].key if len(fitting) == 1 else None


def _mark(entry: _Entry) -> tuple[str | None, str]:
    return entry.kid, entry.key.thumbprint()


def _fits(entry: _Entry, algorithm: str) -> bool:
    if entry.algorithm is not None and entry.algorithm != algorithm:
        return False
    match entry.key:
        case RSAKey():
            return algorithm[:2] in ("RS", "PS")
        case ECKey():
            return _CURVES.get(algorithm) == entry.key.curve_name
        case OKPKey():
            curve = entry.key.get("crv")
            return curve in ("Ed25519", "Ed448") and algorithm in ("EdDSA", curve)


def parse_keys(text: bytes) -> tuple[_Entry, ...]:
    """Return a key set's public signing keys; what isn't one, or is too weak, is left out. Raises KeysUnavailable."""
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise KeysUnavailable(f"not JSON: {error}") from error
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list) or len(keys) > _MAX_KEYS:
        raise KeysUnavailable(f"not a key set of {_MAX_KEYS} keys at most")
    return tuple(_entries(keys))


def _entries(keys: Iterable[Any]) -> Iterable[_Entry]:
    for each in keys:
        if not isinstance(each, dict) or each.get("use", "sig") != "sig":
            continue
        operations = each.get("key_ops")
        if operations is not None and (not isinstance(operations, list) or "verify" not in operations):
            continue
        key = _public_key(each)
        if key is None or (isinstance(key, RSAKey) and key.public_key.key_size < _LEAST_RSA_BITS):
            continue
        kid, algorithm = each.get("kid"), each.get("alg")
        yield _Entry(key, kid if isinstance(kid, str) else None, algorithm if isinstance(algorithm, str) else None)


def _public_key(document: Mapping[str, Any]) -> PublicKey | None:
    # Only what verifies: a private part, where somebody published one, is not even read.
    public = {name: document[name] for name in ("kty", "n", "e", "crv", "x", "y") if name in document}
    try:
        match public.get("kty"):
            case "RSA":
                return RSAKey.import_key(public)
            case "EC":
                return ECKey.import_key(public)
            case "OKP":
                return OKPKey.import_key(public)
            case _:
                return None  # oct above all: a shared secret must never become a key that verifies
    except (JoseError, ValueError, TypeError, KeyError):
        return None


class KeysAtUrl:
    """Reads a key set over HTTP: no redirects, no proxies, within a few seconds and half a mebibyte."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: httpx2.AsyncClient | None = None

    async def __call__(self) -> bytes:
        """Return the key set's JSON text. Raises KeysUnavailable."""
        import httpx2  # noqa: PLC0415 - keys in a file need none

        client = self._client = self._client or httpx2.AsyncClient(
            trust_env=False, follow_redirects=False, timeout=httpx2.Timeout(_TIMEOUT_S)
        )
        received = bytearray()
        try:
            async with asyncio.timeout(_TIMEOUT_S), client.stream("GET", self._url) as response:
                if response.status_code != 200:
                    raise KeysUnavailable(f"HTTP {response.status_code}")
                async for piece in response.aiter_bytes():
                    received += piece
                    if len(received) > _MAX_BYTES:
                        raise KeysUnavailable(f"more than {_MAX_BYTES} bytes")
        except TimeoutError as error:
            raise KeysUnavailable("no whole answer in time") from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise KeysUnavailable(f"{type(error).__name__}: {error}") from error
        return bytes(received)

    async def aclose(self) -> None:
        """Close the connection."""
        if self._client is not None:
            await self._client.aclose()


@dataclass(frozen=True, slots=True)
class KeysInFile:
    """Reads a key set from a file."""

    path: Path

    async def __call__(self) -> bytes:
        """Return the file's bytes. Raises KeysUnavailable."""
        try:
            return await asyncio.to_thread(self.path.read_bytes)
        except OSError as error:
            raise KeysUnavailable(str(error)) from error

    async def aclose(self) -> None:
        """Nothing to release."""
