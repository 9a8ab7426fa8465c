"""Repeat a fetch that failed by bad luck, where that is safe and does not make an outage worse."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator

from gateway.execution.ports import (
    RequestContext,
    SourceEvent,
    SubgraphAnswer,
    SubgraphClient,
    SubgraphFailure,
    SubgraphRequest,
)
from gateway.federation.plan import OperationKind

IDEMPOTENCY_HEADER = "idempotency-key"
_NEVER = frozenset({"SYSTEM_CIRCUIT_OPEN", "SYSTEM_TIMEOUT", "OVERLOADED"})
"""A breaker that is open stays so for seconds; a deadline that passed leaves no time; repeating makes no room."""


class RetryBudget:
    """Repetitions may be a fifth of the fetches, no more: a subgraph that is down is not asked twice as often."""

    def __init__(self, *, ratio: float = 0.2, most: float = 10.0) -> None:
        self._ratio = ratio
        self.most = most
        self.tokens = most
        """What there is to spend: `most` as long as hardly anything fails."""

    def earn(self) -> None:
        """Note a first attempt."""
        self.tokens = min(self.most, self.tokens + self._ratio)

    def spend(self) -> bool:
        """Take the price of one repetition; False where there is too little."""
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class Retried:
    """Repeats reads and writes that carry an idempotency key; any fetch that was never sent."""

    def __init__(
        self, inner: SubgraphClient, *, retries: int = 2, backoff_s: float = 0.05, budget: RetryBudget | None = None
    ) -> None:
        self._inner = inner
        self._retries = retries
        self._backoff_s = backoff_s
        self.budget = budget or RetryBudget()

    async def fetch(self, request: SubgraphRequest, context: RequestContext) -> SubgraphAnswer:
        """Fetch, again where it helps; raises the last failure."""
        self.budget.earn()
        try:
            return await self._inner.fetch(request, context)
        except SubgraphFailure as failed:
            return await self.again(failed, request, context)

    async def again(self, failed: SubgraphFailure, request: SubgraphRequest, context: RequestContext) -> SubgraphAnswer:
        """Repeat a fetch whose first attempt failed, where that helps; raises the last failure."""
        for attempt in range(self._retries):
            pause_s = self._pause_s(failed, attempt)
            left_s = context.deadline - asyncio.get_running_loop().time()
            if not _may_repeat(request, failed) or pause_s >= left_s or not self.budget.spend():
                break
            await asyncio.sleep(pause_s)
            try:
                return await self._inner.fetch(request, context)
            except SubgraphFailure as error:
                failed = error
        raise failed

    def _pause_s(self, failed: SubgraphFailure, attempt: int) -> float:
        if failed.retry_after_ms is not None:
            return failed.retry_after_ms / 1000
        return self._backoff_s * float(2**attempt) * random.uniform(0.5, 1.5)  # noqa: S311 - jitter, not a secret

    def subscribe(self, request: SubgraphRequest, context: RequestContext) -> AsyncGenerator[SourceEvent, None]:
        """Streams are not repeated: events might be missed unseen."""
        return self._inner.subscribe(request, context)

    async def aclose(self) -> None:
        """Close the client inside."""
        await self._inner.aclose()


def _may_repeat(request: SubgraphRequest, failed: SubgraphFailure) -> bool:
    retryable = failed.row.retryable if failed.retryable is None else failed.retryable
    if not retryable or failed.code in _NEVER:
        return False
    if request.kind is OperationKind.QUERY or not failed.is_sent:
        return True
    has_key = any(name == IDEMPOTENCY_HEADER for name, _ in request.headers)
    return has_key and failed.code != "SYSTEM_BAD_RESPONSE"
