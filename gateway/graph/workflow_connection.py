"""`workflows`: the newest first, as a Relay connection. https://relay.dev/graphql/connections.htm"""

from __future__ import annotations

from typing import Annotated

import strawberry

from gateway.errors import GatewayError
from gateway.graph.context import GraphInfo
from gateway.graph.event_connection import MAX_PAGE_SIZE
from gateway.graph.global_id import typename_of
from gateway.graph.page_info import PageInfo
from gateway.graph.place_cursor import page_size, parse_place, print_place
from gateway.graph.refusal import refusal, to_graphql_error
from gateway.graph.workflow import Workflow, desk_of
from gateway.writes.workflows.model import WorkflowFilter, WorkflowStatus


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

    @strawberry.field(description="How many workflows the filter lets through.")
    async def total_count(self, info: GraphInfo) -> int | None:
        """How many workflows the filter lets through."""
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
    try:
        page = await desk_of(info).page(
            wanted, size=size, after=parse_place(after), before=parse_place(before), backward=backward
        )
    except GatewayError as error:
        raise to_graphql_error(error) from error
    edges = [
        WorkflowEdge(node=Workflow.of(record), cursor=print_place(record.started_at, record.id))
        for record in page.workflows
    ]
    return WorkflowConnection(
        edges=edges,
        page_info=PageInfo(
            has_next_page=before is not None if backward else page.has_more,
            has_previous_page=page.has_more if backward else after is not None,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        ),
        wanted=wanted,
    )


def _filter(given: WorkflowsWanted | None) -> WorkflowFilter:
    if given is None:
        return WorkflowFilter()
    if given.customer is not None and typename_of(given.customer) != "Customer":
        raise refusal("BAD_USER_INPUT", "The id is of another type than Customer.")
    return WorkflowFilter(
        kinds=None if given.kinds is None else tuple(given.kinds),
        statuses=None if given.statuses is None else tuple(given.statuses),
        customer=given.customer,
        contract=given.contract,
    )
