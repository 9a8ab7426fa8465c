"""The CRM's root fields."""

from __future__ import annotations

from typing import Annotated

import strawberry

from subgraphs.crm.context import Info
from subgraphs.crm.opportunity_filter import OpportunityFilter, OpportunityOrder, finds_none, to_query
from subgraphs.crm.types import AccountOwner, Opportunity
from subgraphs.kit.connection import Connection, CursorValue, Edge, encode_cursor, page_of, page_window
from subgraphs.kit.system_error import BadUserInputError
from subgraphs.kit.system_of_record import SystemOfRecord


@strawberry.type
class Query:
    """What can be asked of the CRM itself."""

    @strawberry.field
    async def opportunity(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="Global id of the deal.")],  # noqa: A002 - the argument's name
    ) -> Opportunity | None:
        """The deal with this global id; null if there is none."""
        return await Opportunity.resolve_reference(info, id=id)

    @strawberry.field
    async def opportunities(
        self,
        info: Info,
        filter: OpportunityFilter | None = None,  # noqa: A002 - the argument's name
        order_by: OpportunityOrder | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Opportunity] | None:
        """Deals of all customers, by closing day unless ordered otherwise. The CRM finds them by an index that follows changes within seconds; 10,000 at most."""
        window = page_window(first=first, after=after, last=last, before=before)
        query = to_query(filter, order_by)
        if finds_none(filter):
            return page_of([], has_next=False, has_previous=False, total_count=0)
        crm = info.context.crm
        order = (query.order, "DESC" if query.is_descending else "ASC")
        start = 0 if window.after is None else _offset(window.after, order) + 1
        stop = None if window.before is None else _offset(window.before, order)
        if window.backward:
            if stop is None:
                stop = (await crm.find_deals(query, offset=0, size=1)).total
            start = max(start, stop - window.size)
        size = window.size if stop is None else max(0, min(window.size, stop - start))
        page = await crm.find_deals(query, offset=start, size=max(1, size))
        deals = page.deals[:size]
        for deal in deals:
            info.context.deals.prime(deal.id, deal)
        edges = [
            Edge(node=Opportunity.of(deal), cursor=encode_cursor(*order, place))
            for place, deal in enumerate(deals, start)
        ]
        return page_of(edges, has_next=start + size < page.total, has_previous=start > 0, total_count=page.total)

    @strawberry.field
    async def account_owners(self, info: Info) -> list[AccountOwner] | None:
        """Every colleague who looks after customers or sells, by name."""
        owners = await info.context.crm.all_owners()
        return [AccountOwner.of(owner) for owner in sorted(owners, key=lambda owner: (owner.name or "", owner.id))]

    @strawberry.field
    def crm_systems(self, info: Info) -> list[SystemOfRecord] | None:
        """The CRMs behind the graph: what their adaptors can do, and how they differ from what their mappings know."""
        return info.context.systems()


def _offset(cursor: tuple[CursorValue, ...], order: tuple[str, str]) -> int:
    """Return the place that a cursor names; in another order it would be another deal's. Raises BadUserInputError."""
    match cursor:
        case (*of, int() as offset) if tuple(of) == order and not isinstance(offset, bool) and offset >= 0:
            return offset
        case _:
            raise BadUserInputError("The cursor is not one of this list in this order.")
