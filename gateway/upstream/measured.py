"""What each try of a fetch took, and how those ended that failed. The innermost client: retries count one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator
from time import monotonic

from gateway.execution.ports import (
    RequestContext,
    SourceEvent,
    SubgraphAnswer,
    SubgraphClient,
    SubgraphFailure,
    SubgraphRequest,
)
from gateway.upstream.timing import Timing


class Measured:
    """Measures one subgraph. What is called off while it is under way is not counted."""

    def __init__(self, inner: SubgraphClient) -> None:
        self._inner = inner
        self.answered = Timing()
        """Tries that were answered, errors of single fields included."""
        self.failed: Counter[str] = Counter()
        """Tries without a usable answer, by code."""

    async def fetch(self, request: SubgraphRequest, context: RequestContext) -> SubgraphAnswer:
        """Fetch."""
        begun = monotonic()
        try:
            answer = await self._inner.fetch(request, context)
        except SubgraphFailure as failed:
            self.failed[failed.code] += 1
            raise
        self.answered.note(monotonic() - begun)
        return answer

    def subscribe(self, request: SubgraphRequest, context: RequestContext) -> AsyncGenerator[SourceEvent, None]:
        """Streams pass."""
        return self._inner.subscribe(request, context)

    async def aclose(self) -> None:
        """Close the client inside."""
        await self._inner.aclose()
