"""`drifts` and `reconciliationRuns`: the newest first, as Relay connections. https://relay.dev/graphql/connections.htm"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import strawberry

from gateway.errors import GatewayError
from gateway.graph.context import GraphInfo
from gateway.graph.drift import Drift, ReconciliationRun, reconciliation_of
from gateway.graph.event_connection import MAX_PAGE_SIZE
from gateway.graph.global_id import of_type
from gateway.graph.page_info import PageInfo
from gateway.graph.place_cursor import page_size, parse_place, print_place
from gateway.graph.refusal import to_graphql_error
from gateway.graph.sighted import Place, seen_drifts, seen_page, seen_runs
from gateway.writes.reconciliation import model
from gateway.writes.reconciliation.model import DriftFilter, DriftKind, DriftStatus

_First = Annotated[int | None, strawberry.argument(description=f"At most {MAX_PAGE_SIZE}; 50 by default.")]
_After = Annotated[str | None, strawberry.argument(description="A cursor: what is older than that one.")]


@strawberry.input(name="DriftFilter", description="Drifts that meet all stated conditions.")
class DriftsWanted:
    """The argument `filter`."""

    statuses: list[DriftStatus] | None = strawberry.field(default=None, description="Where they stand.")
    kinds: list[DriftKind] | None = strawberry.field(default=None, description="What they are about.")
    systems: list[str] | None = strawberry.field(
        default=None, description="Systems that own the field or hold the copy, such as `erp`."
    )
    fields: list[str] | None = strawberry.field(default=None, description="Fields, such as `taxIds` or `invoiced`.")
    customer: strawberry.ID | None = strawberry.field(
        default=None, description="Global id of the customer they concern, its contracts included."
    )
    contract: str | None = strawberry.field(default=None, description="A contract's number.")
    sku: str | None = strawberry.field(default=None, description="A product.")


@strawberry.type(description="One drift of a page.")
class DriftEdge:
    """An entry of `edges`."""

    node: Drift = strawberry.field(description="The drift itself.")
    cursor: str = strawberry.field(description="Where it stands in the list; `after` takes it.")


@strawberry.type(description="A page of drifts, the newest first.")
class DriftConnection:
    """The value of `drifts`."""

    edges: list[DriftEdge] = strawberry.field(description="The drifts of this page.")
    page_info: PageInfo = strawberry.field(description="Whether there is more, and from where.")
    wanted: strawberry.Private[DriftFilter]

    @strawberry.field(
        description="How many drifts the filter lets through; null for who sees those of some customers only."
    )
    async def total_count(self, info: GraphInfo) -> int | None:
        """How many drifts the filter lets through."""
        if info.context.sight is not None:
            return None
        try:
            return await reconciliation_of(info).count(self.wanted)
        except GatewayError as error:
            raise to_graphql_error(error) from error


@strawberry.type(description="One run of a page.")
class ReconciliationRunEdge:
    """An entry of `edges`."""

    node: ReconciliationRun = strawberry.field(description="The run itself.")
    cursor: str = strawberry.field(description="Where it stands in the list; `after` takes it.")


@strawberry.type(description="A page of reconciliations, the newest first.")
class ReconciliationRunConnection:
    """The value of `reconciliationRuns`."""

    edges: list[ReconciliationRunEdge] = strawberry.field(description="The runs of this page.")
    page_info: PageInfo = strawberry.field(description="Whether there is more, and from where.")


async def resolve_drifts(
    info: GraphInfo,
    filter: Annotated[  # noqa: A002 - the argument's name
        DriftsWanted | None,
        strawberry.argument(description="Which drifts; all of them, resolved ones too, by default."),
    ] = None,
    first: _First = None,
    after: _After = None,
) -> DriftConnection | None:
    """Return a page. Raises BAD_USER_INPUT, STORE_UNAVAILABLE."""
    wanted, size, start, desk = _filter(filter), page_size(first), parse_place("drift", after), reconciliation_of(info)

    async def read(count: int, place: Place | None) -> tuple[Sequence[model.Drift], bool]:
        page = await desk.drifts(wanted, size=count, after=place or start)
        return page.drifts, page.has_more

    try:
        found, has_more = await seen_page(
            info.context, read, seen_drifts, lambda drift: (drift.detected_at, drift.id), size=size
        )
    except GatewayError as error:
        raise to_graphql_error(error) from error
    edges = [DriftEdge(node=Drift.of(each), cursor=print_place("drift", each.detected_at, each.id)) for each in found]
    return DriftConnection(
        edges=edges,
        page_info=_page_info([edge.cursor for edge in edges], has_more=has_more, after=after),
        wanted=wanted,
    )


async def resolve_drift(
    info: GraphInfo,
    id: Annotated[strawberry.ID, strawberry.argument(description="The drift's global id.")],  # noqa: A002 - the argument's name
) -> Drift | None:
    """Return a drift. Raises BAD_USER_INPUT, STORE_UNAVAILABLE."""
    return await Drift.resolve_reference(info, id)


async def resolve_runs(
    info: GraphInfo, first: _First = None, after: _After = None
) -> ReconciliationRunConnection | None:
    """Return a page. Raises BAD_USER_INPUT, STORE_UNAVAILABLE."""
    size, start, desk = page_size(first), parse_place("runs", after), reconciliation_of(info)

    async def read(count: int, place: Place | None) -> tuple[Sequence[model.Run], bool]:
        page = await desk.runs(size=count, after=place or start)
        return page.runs, page.has_more

    try:
        found, has_more = await seen_page(
            info.context, read, seen_runs, lambda run: (run.started_at, run.id), size=size
        )
    except GatewayError as error:
        raise to_graphql_error(error) from error
    edges = [
        ReconciliationRunEdge(node=ReconciliationRun.of(each), cursor=print_place("runs", each.started_at, each.id))
        for each in found
    ]
    page_info = _page_info([edge.cursor for edge in edges], has_more=has_more, after=after)
    return ReconciliationRunConnection(edges=edges, page_info=page_info)


async def resolve_run(
    info: GraphInfo,
    id: Annotated[strawberry.ID, strawberry.argument(description="The run's id.")],  # noqa: A002 - the argument's name
) -> ReconciliationRun | None:
    """Return a run. Raises STORE_UNAVAILABLE."""
    try:
        run = await reconciliation_of(info).run(id)
        seen = [] if run is None else await seen_runs(info.context, [run])
    except GatewayError as error:
        raise to_graphql_error(error) from error
    return ReconciliationRun.of(seen[0]) if seen else None


def _page_info(cursors: list[str], *, has_more: bool, after: str | None) -> PageInfo:
    return PageInfo(
        has_next_page=has_more,
        has_previous_page=after is not None,
        start_cursor=cursors[0] if cursors else None,
        end_cursor=cursors[-1] if cursors else None,
    )


def _filter(given: DriftsWanted | None) -> DriftFilter:
    if given is None:
        return DriftFilter()
    return DriftFilter(
        statuses=None if given.statuses is None else tuple(given.statuses),
        kinds=None if given.kinds is None else tuple(given.kinds),
        systems=None if given.systems is None else tuple(given.systems),
        fields=None if given.fields is None else tuple(given.fields),
        customer=of_type(given.customer, "Customer"),
        contract=given.contract,
        product=given.sku,
    )
