"""`workflows`: the newest first, as a Relay connection. https://relay.dev/graphql/connections.htm"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import strawberry

from gateway.errors import GatewayError
from gateway.graph.context import GraphInfo
from gateway.graph.event_connection import MAX_PAGE_SIZE
from gateway.graph.global_id import of_type
from gateway.graph.page_info import PageInfo
from gateway.graph.place_cursor import page_size, parse_place, print_place
from gateway.graph.refusal import refusal, to_graphql_error
from gateway.graph.sighted import Place, seen_page, seen_workflows
from gateway.graph.workflow import Workflow, desk_of
from gateway.writes.workflows.model import WorkflowFilter, WorkflowRecord, WorkflowStatus


@strawberry.input(name="WorkflowFilter", description="Workflows that meet all stated conditions.")
class WorkflowsWanted:
    """The argument `filter`."""

    kinds: list[str] | None = strawberry.field(default=None, description="Such as `quote-to-cash`.")
    statuses: list[WorkflowStatus] | None = strawberry.field(default=None, description="Where they stand.")
    customer: strawberry.ID | None = strawberry.field(default=None, description="The customer they are about.")
    contract: str | None = strawberry.field(default=None, description="A contract's number.")


@strawberry.type(description="One workflow of a page.")
class WorkflowEdge:
    """An entry of `edges`."""

    node: Workflow = strawberry.field(description="The workflow itself.")
    cursor: str = strawberry.field(description="Where it stands in the list; `after` takes it.")


@strawberry.type(description="A page of workflows, the newest first.")
class WorkflowConnection:
    """The value of `workflows`."""

    edges: list[WorkflowEdge] = strawberry.field(description="The workflows of this page.")
    page_info: PageInfo = strawberry.field(description="Whether there is more, and from where.")
    wanted: strawberry.Private[WorkflowFilter]

    @strawberry.field(
        description="How many workflows the filter lets through; null for who sees those of some customers only."
    )
    async def total_count(self, info: GraphInfo) -> int | None:
        """How many workflows the filter lets through."""
        if info.context.sight is not None:
            return None
        try:
            return await desk_of(info).count(self.wanted)
        except GatewayError as error:
            raise to_graphql_error(error) from error


async def resolve_workflows(
    info: GraphInfo,
    filter: Annotated[  # noqa: A002 - the argument's name
        WorkflowsWanted | None, strawberry.argument(description="Which workflows; all of them by default.")
    ] = None,
    first: Annotated[int | None, strawberry.argument(description=f"At most {MAX_PAGE_SIZE}; 50 by default.")] = None,
    after: Annotated[str | None, strawberry.argument(description="A cursor: what was begun before that one.")] = None,
    last: Annotated[
        int | None, strawberry.argument(description="The oldest ones instead; not together with `first`.")
    ] = None,
    before: Annotated[str | None, strawberry.argument(description="A cursor: what was begun after that one.")] = None,
) -> WorkflowConnection | None:
    """Return a page from the front or from the back. Raises BAD_USER_INPUT, STORE_UNAVAILABLE."""
    if first is not None and last is not None:
        raise refusal("BAD_USER_INPUT", "Ask for `first` or for `last`, not both.")
    backward = last is not None or (before is not None and first is None)
    size = page_size(last if backward else first)
    wanted = _filter(filter)
    desk, newer, older = desk_of(info), parse_place("workflows", after), parse_place("workflows", before)

    async def read(count: int, place: Place | None) -> tuple[Sequence[WorkflowRecord], bool]:
        lower, upper = (newer, place or older) if backward else (place or newer, older)
        page = await desk.page(wanted, size=count, after=lower, before=upper, backward=backward)
        return page.workflows, page.has_more

    try:
        found, has_more = await seen_page(info.context, read, seen_workflows, _place_of, size=size, backward=backward)
    except GatewayError as error:
        raise to_graphql_error(error) from error
    edges = [
        WorkflowEdge(node=Workflow.of(record), cursor=print_place("workflows", *_place_of(record))) for record in found
    ]
    return WorkflowConnection(
        edges=edges,
        page_info=PageInfo(
            has_next_page=before is not None if backward else has_more,
            has_previous_page=has_more if backward else after is not None,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        ),
        wanted=wanted,
    )


def _place_of(record: WorkflowRecord) -> Place:
    return record.started_at, record.id


def _filter(given: WorkflowsWanted | None) -> WorkflowFilter:
    if given is None:
        return WorkflowFilter()
    return WorkflowFilter(
        kinds=None if given.kinds is None else tuple(given.kinds),
        statuses=None if given.statuses is None else tuple(given.statuses),
        customer=of_type(given.customer, "Customer"),
        contract=given.contract,
    )
