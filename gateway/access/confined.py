"""Keep callers who are confined to a contract out of every other variant of the graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.access.authenticate import Authenticate
from gateway.access.caller import Caller
from gateway.errors import GatewayError


@dataclass(frozen=True, slots=True)
class Confined:
    """A policy around another one, for the door to one variant."""

    inner: Authenticate
    contract: str | None
    """Which variant is behind the door; None: the whole graph."""

    def known(self, headers: Mapping[str, str]) -> Caller | None:
        """Return the caller at once, where the policy inside knows it; None asks for a call."""
        known = getattr(self.inner, "known", None)
        caller: Caller | None = None if known is None else known(headers)
        return caller if caller is not None and caller.contract in (None, self.contract) else None

    async def __call__(self, headers: Mapping[str, str]) -> Caller:
        """Return the caller. Raises GatewayError as the policy inside does, and FORBIDDEN for those of another contract."""
        caller = await self.inner(headers)
        if caller.contract is not None and caller.contract != self.contract:
            raise GatewayError("FORBIDDEN", "These credentials are for another variant of the graph.")
        return caller
