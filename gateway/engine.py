"""The line: one request from top to bottom, no way back. Read this file first.

An `Engine` is built for one supergraph and never changes; a reload builds another and swaps one reference.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from gateway.access.caller import ANONYMOUS, Caller
from gateway.execution.message import ABSENT, GraphQLRequest, GraphQLResponse, refusal
from gateway.execution.ports import SubgraphClient
from gateway.federation.supergraph import Supergraph

__all__ = ["ABSENT", "ANONYMOUS", "Caller", "Engine", "EngineLimits", "GraphQLRequest", "GraphQLResponse", "refusal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLimits:
    """What one request may take of the engine."""

    deadline_s: float = 30.0
    """Time to the answer; the header X-Request-Timeout-Ms may shorten it."""
    cached_operations: int = 2_000
    reported_errors: int = 20
    """Entries of `errors` in one answer; the last one says how many more there were."""


class Engine:
    """Answers GraphQL requests over one supergraph."""

    def __init__(
        self, supergraph: Supergraph, clients: Mapping[str, SubgraphClient], *, limits: EngineLimits = EngineLimits()
    ) -> None:
        raise NotImplementedError

    async def execute(self, request: GraphQLRequest, caller: Caller = ANONYMOUS) -> GraphQLResponse:
        """Answer a query or mutation. Expected failures are in the response, never raised.

        A subscription is refused with BAD_REQUEST; cancelling stops the subgraph requests in flight.
        """
        raise NotImplementedError

    async def subscribe(
        self, request: GraphQLRequest, caller: Caller = ANONYMOUS
    ) -> AsyncIterator[GraphQLResponse] | GraphQLResponse:
        """Answer any operation over a streaming transport.

        A subscription gives an async iterator of one response per event (close it with `aclose()`); a query or mutation
        gives its one response, and so does a refusal.
        """
        raise NotImplementedError
