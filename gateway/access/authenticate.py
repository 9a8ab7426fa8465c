"""Find out who is asking from the credentials that came with a request or a connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from gateway.access.caller import ANONYMOUS, Caller


class Authenticate(Protocol):
    """A policy of who may call: one of them stands at the door, the same for every transport."""

    async def __call__(self, headers: Mapping[str, str]) -> Caller:
        """Return the caller whom these credentials prove.

        `headers` has lower-case names: a request's own, or those of a WebSocket's handshake with the string values of
        `connection_init`'s payload (or of its `headers`) laid over them.

        Raises `GatewayError` with UNAUTHENTICATED, FORBIDDEN or AUTH_UNAVAILABLE.
        """


async def allow_anonymous(headers: Mapping[str, str]) -> Caller:  # noqa: ARG001 - the development policy asks for nothing
    """Let everybody in as nobody in particular: the development policy."""
    return ANONYMOUS
