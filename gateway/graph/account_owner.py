"""Who looks after the customer of an event: asked of the CRM, by the key that the crosswalk knows."""

from __future__ import annotations

from gateway.events.event import Event
from gateway.graph.context import GraphContext


async def is_of_owners(event: Event, owners: frozenset[str], context: GraphContext) -> bool:
    """Say whether the event's customer is looked after by one of these account owners (global ids).

    Raises `GatewayError` with a SYSTEM_* code when that can't be told.
    """
    customer = event.keys.get("customer")
    if customer is None:
        return False
    reference = await context.entity_key("Customer", ("id", customer), "crmRef")
    if reference is None:
        return False
    owner = await context.entity_key("Customer", ("crmRef", reference), "owner.id")
    return owner in owners
