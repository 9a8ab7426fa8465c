"""A write of which nobody knows whether it took effect, and who takes it over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.execution.ports import RequestContext, SubgraphRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """The write, as it was sent."""

    request: SubgraphRequest
    key: str
    """The whole idempotency key, as the owner knows it."""
    field: str
    """Response names of the root fields."""
    context: RequestContext


Settle = Callable[[Doubt], Awaitable[str | None]]
"""Begins to settle a write in doubt, and returns the global id of the workflow; None where that is not possible."""
