"""Keep callers who are confined to a contract out of every other variant of the graph."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.access.authenticate import Authenticate
from gateway.access.caller import Caller
from gateway.errors import GatewayError


class Confined:
    """A policy around another one, for the door to one variant."""

    def __init__(self, inner: Authenticate, contract: str | None) -> None:
        """`contract` is the variant behind the door; None: the whole graph."""
        self._inner = inner
        self._contract = contract
        self._known = getattr(inner, "known", None)

    def known(self, headers: Mapping[str, str]) -> Caller | None:
        """Return the caller at once, where the policy inside knows it; None asks for a call."""
        caller: Caller | None = None if self._known is None else self._known(headers)
        if caller is None or (caller.contract is not None and caller.contract != self._contract):
            return None
        return caller

    async def __call__(self, headers: Mapping[str, str]) -> Caller:
        """Return the caller. Raises GatewayError as the policy inside does, and FORBIDDEN for those of another contract."""
        caller = await self._inner(headers)
        if caller.contract is not None and caller.contract != self._contract:
            raise GatewayError("FORBIDDEN", "These credentials are for another variant of the graph.")
        return caller
