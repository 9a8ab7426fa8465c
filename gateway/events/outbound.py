"""HTTP to receivers outside: no redirects, no proxies, and no connection to an address that may not be called.

A host's addresses are resolved once for each connection, looked at, and then connected to as they are: a name that is
resolved again for the connection itself could lead elsewhere by then.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

import httpcore2
import httpx2

from gateway.events.egress import Egress, EgressRefused

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port → IP addresses. Raises OSError."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """Return a host's addresses as the system knows them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class _Checked(httpcore2.AnyIOBackend):
    """Connects to addresses that egress allows."""

    def __init__(self, egress: Egress, resolver: Resolve) -> None:
        self._egress = egress
        self._resolve = resolver

    async def connect_tcp(self, host: str, port: int, *arguments: Any, **named: Any) -> httpcore2.AsyncNetworkStream:
        try:
            addresses = await self._resolve(host, port)
        except OSError as error:
            raise httpcore2.ConnectError(f"{host} can't be resolved") from error
        refused: Exception | None = None
        for address in addresses:
            try:
                self._egress.check_address(host, address)
                return await super().connect_tcp(address, port, *arguments, **named)
            except (EgressRefused, httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                refused = error
        raise httpcore2.ConnectError(f"{host} can't be reached: {refused}") from refused


def outbound_client(egress: Egress, *, timeout_s: float = 5.0, resolver: Resolve = resolve) -> httpx2.AsyncClient:
    """Return a client that calls only what egress allows; close it. Refusals are httpx2.ConnectError."""
    transport = httpx2.AsyncHTTPTransport(trust_env=False)
    pool = transport._pool  # noqa: SLF001 - httpx hands the backend on to nobody
    assert isinstance(pool, httpcore2.AsyncConnectionPool)
    pool._network_backend = _Checked(egress, resolver)  # noqa: SLF001 - as above
    return httpx2.AsyncClient(transport=transport, trust_env=False, follow_redirects=False, timeout=timeout_s)
