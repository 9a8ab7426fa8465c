"""Which headers a subgraph gets beside the gateway's own: fixed ones, and named ones of the client's."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import replace

from gateway.execution.ports import RequestContext, SubgraphAnswer, SubgraphClient, SubgraphRequest

_OURS = frozenset(
    {
        "host",
        "content-type",
        "content-length",
        "accept",
        "accept-encoding",
        "connection",
        "transfer-encoding",
        "upgrade",
    }
    | {"x-correlation-id", "x-concord-deadline-ms", "idempotency-key", "te", "trailer", "expect", "keep-alive"}
)
"""Never forwarded: they describe this hop, or the gateway sets them."""


class Headered:
    """Adds headers to every fetch and stream. It goes outermost: reads with different headers must not be joined."""

    def __init__(self, inner: SubgraphClient, *, fixed: Mapping[str, str], forwarded: Iterable[str]) -> None:
        self._inner = inner
        self._fixed = tuple((name.lower(), value) for name, value in fixed.items())
        self._forwarded = tuple(name.lower() for name in forwarded if name.lower() not in _OURS)

    async def fetch(self, request: SubgraphRequest, context: RequestContext) -> SubgraphAnswer:
        """Fetch with the headers."""
        return await self._inner.fetch(self._added(request, context), context)

    def subscribe(self, request: SubgraphRequest, context: RequestContext) -> AsyncGenerator[SubgraphAnswer, None]:
        """Subscribe with the headers."""
        return self._inner.subscribe(self._added(request, context), context)

    def _added(self, request: SubgraphRequest, context: RequestContext) -> SubgraphRequest:
        given = context.headers
        forwarded = tuple((name, given[name]) for name in self._forwarded if name in given)
        if not forwarded and not self._fixed:
            return request
        # A copy: a request that is repeated must not collect them twice.
        return replace(request, headers=(*request.headers, *self._fixed, *forwarded))

    async def aclose(self) -> None:
        """Close the client inside."""
        await self._inner.aclose()
