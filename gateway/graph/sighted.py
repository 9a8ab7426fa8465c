"""What of workflows, drift and runs a caller sees whose claims confine it: what is about its customers, and its own requests.

As with events, the owner of customers is asked, as the caller; what is about nobody in particular is hidden from everybody who
is confined to some customers. What is hidden looks as if it were not there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from itertools import compress
from typing import TypeVar

from gateway.access.kept_caller import caller_key
from gateway.errors import GatewayError
from gateway.events.sight import Named
from gateway.graph.context import GraphContext
from gateway.writes.reconciliation.model import Drift, Run
from gateway.writes.workflows.model import WorkflowRecord

RowT = TypeVar("RowT")
Place = tuple[float, str]
_GATEWAY = "gateway"
_CHUNK = 200
_MOST_LOOKED_AT = 5_000
"""Entries of a list that are looked at for one page; whoever sees few of many asks again from where it ended."""


async def sees_customers(context: GraphContext, customers: Sequence[str | None]) -> Sequence[bool]:
    """Say of each whether what is about this customer is there for the caller. Raises `GatewayError`."""
    if context.sight is None:
        return [True] * len(customers)
    return await context.sight.sees([Named(_GATEWAY, customer) for customer in customers])


async def seen_workflows(context: GraphContext, records: Sequence[WorkflowRecord]) -> list[WorkflowRecord]:
    """Return those that the caller sees; of its own also those whose customer is not known yet, or is nobody."""
    if context.sight is None or not records:
        return list(records)
    assert context.workflows is not None
    seen = await sees_customers(context, [record.customer for record in records])
    unknown = [record.id for record in records if record.customer is None]
    asked, own = await context.workflows.asked(unknown), caller_key(context.request.caller)
    is_own = [
        own is not None and (kept := asked.get(record.id)) is not None and kept.asker == own for record in records
    ]
    return [record for record, *ways in zip(records, seen, is_own, strict=True) if any(ways)]


async def seen_drifts(context: GraphContext, drifts: Sequence[Drift]) -> list[Drift]:
    """Return those that the caller sees: of its customers, and between systems whose data it may see wherever it lives."""
    sight = context.sight
    if sight is None:
        return list(drifts)
    seen = await sees_customers(context, [drift.found.customer for drift in drifts])
    return [
        drift
        for drift, is_seen in zip(drifts, seen, strict=True)
        if is_seen and sight.sees_all_of(drift.found.owner) and sight.sees_all_of(drift.found.place.system)
    ]


async def seen_runs(context: GraphContext, runs: Sequence[Run]) -> list[Run]:
    """Return those that the caller sees: a run over everything is nobody's in particular."""
    return list(compress(runs, await sees_customers(context, [run.scope.customer for run in runs])))


async def seen_page(
    context: GraphContext,
    read: Callable[[int, Place | None], Awaitable[tuple[Sequence[RowT], bool]]],
    seen: Callable[[GraphContext, Sequence[RowT]], Awaitable[list[RowT]]],
    place_of: Callable[[RowT], Place],
    *,
    size: int,
    backward: bool = False,
) -> tuple[list[RowT], bool]:
    """Return up to `size` entries that the caller sees, and whether there may be more.

    `read` gives so many entries beyond a place (None: from the list's end on which the page lies), in the list's order, and
    whether more follow. Raises `GatewayError`.
    """
    if context.sight is None:
        rows, has_more = await read(size, None)
        return list(rows), has_more
    found: list[RowT] = []
    place: Place | None = None
    looked_at = 0
    while looked_at < _MOST_LOOKED_AT:
        rows, has_more = await read(_CHUNK, place)
        kept = await seen(context, rows)
        found = [*kept, *found] if backward else [*found, *kept]
        if len(found) > size:
            return found[len(found) - size :] if backward else found[:size], True
        if not has_more or not rows:
            return found, False
        looked_at += len(rows)
        place = place_of(rows[0] if backward else rows[-1])
    return found, True


async def require_customer(context: GraphContext, customer: str | None) -> None:
    """Raise NOT_FOUND for a customer that is not there for a confined caller."""
    if customer is not None and not (await sees_customers(context, [customer]))[0]:
        raise GatewayError("NOT_FOUND", "There is no such customer.")
