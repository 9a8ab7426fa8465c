"""The transport for anything HTTP: httpx2, with TLS, HTTP proxies never read from the environment, and a kept pool."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from functools import cache

import httpx2

from gateway.upstream.read_budget import AHEAD_BYTES, LARGE_BYTES, Portion, ReadBudget, unread
from gateway.upstream.transport import HeaderPairs, HttpReply, NoAnswer, NotSent, TooLarge


class HttpxTransport:
    """Posts to one URL through httpx2."""

    def __init__(
        self,
        url: str,
        *,
        max_connections: int = 64,
        max_bytes: int = 64 << 20,
        keep_alive_s: float = 30.0,
        trust: ssl.SSLContext | None = None,
        budget: ReadBudget | None = None,
    ) -> None:
        """`trust` says whose certificates are accepted, and which one is shown; None: those the system trusts, and none.

        `budget` bounds large answers that are being read, over all transports that share it. Streams are not counted.
        """
        self._url = url
        self.lane = (budget or ReadBudget()).lane()
        self._max_bytes = max_bytes
        self._client = httpx2.AsyncClient(
            verify=trust or system_trust(),
            trust_env=False,
            follow_redirects=False,
            limits=httpx2.Limits(
                max_connections=max_connections,
                max_keepalive_connections=max_connections,
                keepalive_expiry=keep_alive_s,
            ),
        )

    async def post(
        self, headers: HeaderPairs, body: bytes, timeout_s: float, connect_s: float | None = None
    ) -> HttpReply:
        """Send and return the whole answer. Raises NotSent, NoAnswer or TooLarge."""
        timeout = httpx2.Timeout(timeout_s)
        if connect_s is not None and connect_s < timeout_s:
            timeout = httpx2.Timeout(timeout_s, connect=connect_s, pool=connect_s)
        portion: Portion | None = None
        may_go_on = asyncio.Event()
        try:
            # httpx2's own timeouts are for each step; a body that trickles would outlast them.
            async with (
                asyncio.timeout(timeout_s),
                self._client.stream(
                    "POST", self._url, headers=_encoded(headers), content=body, timeout=timeout
                ) as response,
            ):
                chunks = []
                size = 0
                async for chunk in response.aiter_bytes():
                    size += len(chunk)
                    if size > self._max_bytes:
                        raise TooLarge(f"more than {self._max_bytes} bytes")
                    chunks.append(chunk)
                    if size > LARGE_BYTES:
                        if portion is None:
                            portion = self.lane.begin(size, may_go_on.set)
                        while not portion.reach(size + AHEAD_BYTES):
                            may_go_on.clear()
                            await may_go_on.wait()
                return HttpReply(response.status_code, response.headers, b"".join(chunks))
        except TimeoutError as error:
            raise unread(portion, "no whole answer in time") or NoAnswer(
                "no whole answer in time", is_timeout=True
            ) from error
        except httpx2.HTTPError as error:
            raise unread(portion, f"{type(error).__name__}: {error}") or _translated(error) from error
        finally:
            if portion is not None:
                portion.give_back()

    async def stream(
        self, headers: HeaderPairs, body: bytes, *, head_timeout_s: float, silence_s: float
    ) -> AsyncGenerator[HttpReply, None]:
        """Send and yield the answer piece by piece. Raises NotSent or NoAnswer."""
        timeout = httpx2.Timeout(head_timeout_s, read=silence_s)
        opening = self._client.stream("POST", self._url, headers=_encoded(headers), content=body, timeout=timeout)
        try:
            async with AsyncExitStack() as opened:
                async with asyncio.timeout(head_timeout_s):
                    response = await opened.enter_async_context(opening)
                yield HttpReply(response.status_code, response.headers, b"")
                async for chunk in response.aiter_bytes():
                    yield HttpReply(response.status_code, response.headers, chunk)
        except TimeoutError as error:
            raise NoAnswer("no head in time", is_timeout=True) from error
        except httpx2.ReadTimeout as error:
            raise NoAnswer(f"silent for {silence_s:g} s") from error
        except httpx2.HTTPError as error:
            raise _translated(error) from error

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()


def _encoded(headers: HeaderPairs) -> list[tuple[bytes, bytes]]:
    """Return headers as the bytes they came as; of text, httpx2 would take ASCII alone."""
    return [(name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in headers]


@cache
def system_trust() -> ssl.SSLContext:
    """Return the certificates to trust: read once, since that takes longer than anything else here."""
    return httpx2.create_ssl_context(trust_env=False)


def _translated(error: httpx2.HTTPError) -> NotSent | NoAnswer:
    reason = f"{type(error).__name__}: {error}"
    match error:
        case httpx2.ConnectTimeout() | httpx2.PoolTimeout():
            return NotSent(reason, is_timeout=True)
        case httpx2.ConnectError() | httpx2.UnsupportedProtocol():
            return NotSent(reason, is_retryable=not isinstance(_root(error), ssl.SSLError))
        case httpx2.TimeoutException():
            return NoAnswer(reason, is_timeout=True)
        case _:
            return NoAnswer(reason)


def _root(error: BaseException) -> BaseException:
    while True:
        cause = error.__cause__ or error.__context__
        if cause is None:
            return error
        error = cause
