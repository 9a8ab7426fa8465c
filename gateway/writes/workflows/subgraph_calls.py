"""How workflows reach the systems: through the same subgraph clients, policies included, as everybody's requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from gateway.errors import REGISTRY, Outcome
from gateway.execution.located import Failure, SubgraphProfile, error_entries, failure_from_entry, failure_of
from gateway.execution.ports import CallerView, RequestContext, SubgraphClient, SubgraphFailure, SubgraphRequest
from gateway.federation.plan import OperationKind
from gateway.writes.workflows.definition import CallFailed
from gateway.writes.workflows.model import Json, StepError

TRY_S = 15.0
"""The time of one try."""
_STILL_OPEN = frozenset({Outcome.UNKNOWN, Outcome.IN_PROGRESS})


class SubgraphCalls:
    """`Calls` over the clients of the moment."""

    def __init__(
        self,
        clients: Callable[[], Mapping[str, SubgraphClient]],
        profiles: Mapping[str, SubgraphProfile],
        caller: CallerView,
    ) -> None:
        """`clients` by subgraph; each system of record is asked through the subgraph of its name."""
        self._clients = clients
        self._profiles = profiles
        self._caller = caller

    def on_behalf_of(self, caller: CallerView) -> SubgraphCalls:
        """Return the same calls for whom the systems are to see."""
        return SubgraphCalls(self._clients, self._profiles, caller)

    async def __call__(self, system: str, document: str, variables: Mapping[str, Json], key: str | None) -> Json:
        """Return the data of the only root field. Raises `CallFailed`."""
        profile = self._profiles.get(system) or SubgraphProfile(name=system, system=system)
        is_write = key is not None
        request = SubgraphRequest(
            subgraph=system,
            kind=OperationKind.MUTATION if is_write else OperationKind.QUERY,
            document=document,
            variables=variables,
            headers=(("idempotency-key", key),) if key is not None else (),
        )
        context = RequestContext(
            correlation_id=key or "workflow",
            deadline=asyncio.get_running_loop().time() + TRY_S,
            caller=self._caller,
        )
        client = self._clients().get(system)
        if client is None:
            raise CallFailed(
                StepError(code="SYSTEM_UNAVAILABLE", message="The graph has no such system.", system=system)
            )
        return await ask_subgraph(client, request, context, profile, is_write=is_write)


async def ask_subgraph(
    client: SubgraphClient,
    request: SubgraphRequest,
    context: RequestContext,
    profile: SubgraphProfile,
    *,
    is_write: bool,
) -> Json:
    """Return the data of the answer's only root field. Raises `CallFailed`."""
    try:
        answer = (await client.fetch(request, context)).value
    except SubgraphFailure as failed:
        raise CallFailed(_error(failure_of(failed, profile, is_write=is_write))) from failed
    return _read(answer, profile, is_write=is_write)


def _read(answer: Any, profile: SubgraphProfile, *, is_write: bool) -> Json:
    errors = error_entries(answer) if isinstance(answer, dict) else ({},)
    if errors:
        write = Outcome.UNKNOWN if is_write else None
        raise CallFailed(_error(failure_from_entry(errors[0], profile, write=write)))
    match answer:
        case {"data": dict() as data} if len(data) == 1:
            return next(iter(data.values()))
        case _:
            outcome = Outcome.UNKNOWN if is_write else None
            raise CallFailed(_error(Failure(code="SYSTEM_BAD_RESPONSE", system=profile.system, outcome=outcome)))


def _error(failure: Failure) -> StepError:
    row = REGISTRY[failure.code]
    return StepError(
        code=failure.code,
        message=failure.message or row.sentence,
        system=failure.system,
        is_unknown=failure.outcome in _STILL_OPEN,
        retryable=row.retryable if failure.retryable is None else failure.retryable,
        retry_after_s=None if failure.retry_after_ms is None else failure.retry_after_ms / 1000,
    )
