"""How opportunities are filtered and ordered."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import strawberry

from subgraphs.crm.port import DealQuery, name_words
from subgraphs.crm.terms import DealOrder, OpportunityStage
from subgraphs.kit.global_id import local_id
from subgraphs.kit.order import OrderDirection
from subgraphs.kit.system_error import BadUserInputError

_MAX_TEXT = 200


@strawberry.input(description="Opportunities that meet all stated conditions.")
class OpportunityFilter:
    """Which opportunities."""

    stage: list[OpportunityStage] | None = strawberry.field(
        default=None, description="In any of these stages; an empty list finds none."
    )
    owner_id: strawberry.ID | None = strawberry.field(
        default=None, description="Sold by the account owner with this global id; an id of anything else is refused."
    )
    name_contains: str | None = strawberry.field(
        default=None,
        description="Each word of this occurs within a word of the name, in any case; 1 to 200 characters, one of them a letter or digit.",
    )
    contract_number: str | None = strawberry.field(
        default=None, description="The contract that the deal led to, such as `CON-2025-0001`, exactly."
    )
    closes_from: dt.date | None = strawberry.field(
        default=None, description="Closed, or expected to, on this day or later."
    )
    closes_until: dt.date | None = strawberry.field(
        default=None, description="Closed, or expected to, on this day or earlier."
    )
    min_amount: Decimal | None = strawberry.field(
        default=None, description="Worth at least this figure, whatever its currency."
    )


@strawberry.input
class OpportunityOrder:
    """How opportunities are ordered: by closing day, the earliest first, unless told."""

    field: DealOrder = strawberry.field(
        default=DealOrder.CLOSE_ON, description="Which value decides the order; the closing day unless told."
    )
    direction: OrderDirection = strawberry.field(default=OrderDirection.ASC, description="Ascending unless told.")


def finds_none(condition: OpportunityFilter | None) -> bool:
    """Whether nothing can meet the condition: no stage is one of an empty list."""
    return condition is not None and condition.stage is not None and not condition.stage


def to_query(condition: OpportunityFilter | None, order: OpportunityOrder | None) -> DealQuery:
    """Return the query of the arguments. Raises BadUserInputError for texts without content and ids of another type."""
    condition = condition or OpportunityFilter()
    order = order or OpportunityOrder()
    for text in (condition.name_contains, condition.contract_number):
        if text is not None and not 0 < len(text.strip()) <= _MAX_TEXT:
            raise BadUserInputError(f"A text to look for has 1 to {_MAX_TEXT} characters.")
    words = name_words(condition.name_contains or "")
    if condition.name_contains is not None and not words:
        raise BadUserInputError("A name is looked for by letters or digits.")
    return DealQuery(
        stages=tuple(condition.stage or ()),
        owner_id=local_id(condition.owner_id, "AccountOwner") if condition.owner_id else None,
        name_words=words,
        contract_numbers=(condition.contract_number,) if condition.contract_number else (),
        closes_from=condition.closes_from,
        closes_until=condition.closes_until,
        min_amount=condition.min_amount,
        order=order.field,
        is_descending=order.direction is OrderDirection.DESC,
    )
