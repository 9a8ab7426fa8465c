"""Which headers a subgraph gets beside the gateway's own: fixed ones, and named ones of the client's."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine, Iterable, Mapping
from typing import Any

from gateway.execution.ports import RequestContext, SourceEvent, SubgraphAnswer, SubgraphClient, SubgraphRequest

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
_OURS_BY_PREFIX = ("x-concord-", "proxy-", "sec-")
"""Never forwarded either. What a client calls `X-Concord-Caller` must not reach a subgraph that believes it."""


class Headered:
    """Adds headers to every fetch and stream. It goes outermost: reads with different headers must not be joined."""

    def __init__(self, inner: SubgraphClient, *, fixed: Mapping[str, str], forwarded: Iterable[str]) -> None:
        self.inner = inner
        self.fixed = tuple((name.lower(), value) for name, value in fixed.items())
        self.forwarded = tuple(
            name for name in map(str.lower, forwarded) if name not in _OURS and not name.startswith(_OURS_BY_PREFIX)
        )

    def fetch(self, request: SubgraphRequest, context: RequestContext) -> Coroutine[Any, Any, SubgraphAnswer]:
        """Fetch with the headers. Hands the client's own coroutine on: one of its own would only be in the way."""
        return self.inner.fetch(self.add(request, context), context)

    def subscribe(self, request: SubgraphRequest, context: RequestContext) -> AsyncGenerator[SourceEvent, None]:
        """Subscribe with the headers."""
        return self.inner.subscribe(self.add(request, context), context)

    def add(self, request: SubgraphRequest, context: RequestContext) -> SubgraphRequest:
        """Add the headers to a request, and return it."""
        given = context.headers
        forwarded = [(name, given[name]) for name in self.forwarded if name in given]
        if forwarded or self.fixed:
            # In place: a request is made for one fetch, and what repeats it is inside.
            request.headers = (*request.headers, *self.fixed, *forwarded)
        return request

    async def aclose(self) -> None:
        """Close the client inside."""
        await self.inner.aclose()
