"""Credentials that run out: OAuth 2.0 client credentials, asked for when needed and anew when the vendor stops taking them.

https://www.rfc-editor.org/rfc/rfc6749#section-4.4
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from typing import Protocol

import httpx2
import orjson

from subgraphs.kit.system_error import VendorAuthError, VendorBadResponseError, VendorUnavailableError


def is_of_tls(error: BaseException | None) -> bool:
    """Whether a handshake failed, however many libraries have wrapped that: it won't pass by itself."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False


_EARLY_S = 30.0
"""A token is replaced this long before it runs out, so that it does not run out on its way."""


class Credential(Protocol):
    """What proves to a vendor who we are."""

    async def headers(self, http: httpx2.AsyncClient) -> Mapping[str, str]:
        """Return the headers of a request, asking the vendor for a token first where there is none. Raises VendorError."""
        ...

    def refused(self, headers: Mapping[str, str]) -> bool:
        """The vendor refused a request with these headers (401); returns whether others may be had."""
        ...


class ClientCredentials:
    """A client's id and secret, exchanged for an access token. One exchange at a time, however many requests wait."""

    def __init__(self, *, system: str, token_path: str, client_id: str, client_secret: str) -> None:
        """`token_path` is below the client's base URL, so the secret never goes to another host."""
        self._system = system
        self._token_path = token_path
        self._form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
        self._headers: Mapping[str, str] | None = None
        self._runs_out = float("inf")
        self._exchanging = asyncio.Lock()
        self.exchanges = 0
        """Tokens asked for since start."""

    async def headers(self, http: httpx2.AsyncClient) -> Mapping[str, str]:
        """Return the bearer's header."""
        async with self._exchanging:
            if self._headers is None or time.monotonic() > self._runs_out:
                self._headers = await self._exchange(http)
            return self._headers

    def refused(self, headers: Mapping[str, str]) -> bool:
        """Forget the token that was refused, unless another request has replaced it already."""
        if self._headers is not None and self._headers["authorization"] == headers.get("authorization"):
            self._headers = None
        return True

    async def _exchange(self, http: httpx2.AsyncClient) -> Mapping[str, str]:
        self.exchanges += 1
        try:
            reply = await http.post(self._token_path, data=self._form)
        except httpx2.TransportError as error:
            raise VendorUnavailableError(
                f"The {self._system} system can't be reached.", system=self._system, retryable=not is_of_tls(error)
            ) from error
        if reply.status_code in {400, 401, 403}:
            raise VendorAuthError(f"The {self._system} system refused our credential.", system=self._system)
        if not reply.is_success:
            raise VendorUnavailableError(f"The {self._system} system is not available.", system=self._system)
        try:
            answer = orjson.loads(reply.content)
        except orjson.JSONDecodeError:
            answer = None
        match answer:
            case {"access_token": str() as token} if token.isascii() and token.isprintable():
                lasts_s = answer.get("expires_in")
                # Some vendors, Salesforce is one, don't say how long a token lasts: it is used until it is refused.
                known = isinstance(lasts_s, int | float)
                self._runs_out = time.monotonic() + lasts_s - _EARLY_S if known else float("inf")
                return {"authorization": f"Bearer {token}"}
            case _:
                raise VendorBadResponseError(
                    f"The {self._system} system's answer has no access token.", system=self._system
                )
