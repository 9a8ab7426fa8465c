"""`LifecycleEvent` in the graph: what happened, and the entities it happened to."""

from __future__ import annotations

from datetime import datetime

import strawberry

from gateway.events.event import Change
from gateway.events.source_stream import StreamedEvent
from gateway.graph.entities import Contract, Customer, Entitlement, Invoice, Opportunity


@strawberry.type(description="A field that changed, with its values as text.")
class FieldChange:
    """One entry of `changes`."""

    field: str
    before: str | None = strawberry.field(name="from", description="The value before; null where there was none.")
    after: str | None = strawberry.field(name="to", description="The value after; null where there is none anymore.")

    @classmethod
    def of(cls, change: Change) -> FieldChange:
        """Return the change as a value of the graph."""
        return cls(field=change.field, before=change.before, after=change.after)


@strawberry.type(
    description="Something that happened in a system of record. It names the entities; their fields are read from the owners."
)
class LifecycleEvent:
    """An event on its way to a client."""

    id: strawberry.ID = strawberry.field(description="The same for the same happening, however often it is delivered.")
    type: str = strawberry.field(description="Such as `concord.contract.activated.v1`.")
    subject: strawberry.ID = strawberry.field(description="Global id of the entity; its events come in order.")
    time: datetime = strawberry.field(description="When it happened in the business.")
    recorded_time: datetime = strawberry.field(description="When it reached the gateway.")
    sequence: int = strawberry.field(description="Count of the subject's events, from 1, without holes.")
    cursor: str = strawberry.field(description="A subscription that starts with it goes on with the next event.")
    correlation_id: str | None = strawberry.field(description="The workflow that it belongs to.")
    causation_id: str | None = strawberry.field(description="The event that caused it.")
    replay_of: strawberry.ID | None = strawberry.field(
        description="The dead letter that it was until somebody replayed it; null for what came by itself."
    )
    source: str = strawberry.field(description="Such as `concord/billing`.")
    changes: list[FieldChange]
    customer: Customer | None
    contract: Contract | None
    invoice: Invoice | None
    opportunity: Opportunity | None
    entitlement: Entitlement | None
    feature: str | None = strawberry.field(description="The feature whose usage or entitlement it is about.")

    @classmethod
    def of(cls, streamed: StreamedEvent) -> LifecycleEvent:
        """Return the event as a value of the graph."""
        recorded = streamed.recorded
        event, keys = recorded.event, recorded.event.keys
        return cls(
            id=strawberry.ID(event.id),
            type=event.type,
            subject=strawberry.ID(event.subject),
            time=event.time,
            recorded_time=recorded.recorded_at,
            sequence=recorded.sequence,
            cursor=streamed.cursor,
            correlation_id=event.correlation_id,
            causation_id=event.causation_id,
            replay_of=None if event.replay_of is None else strawberry.ID(event.replay_of),
            source=event.source,
            changes=[FieldChange.of(change) for change in event.changes],
            customer=Customer(id=strawberry.ID(keys["customer"])) if "customer" in keys else None,
            contract=Contract(known_number=keys["contract"]) if "contract" in keys else None,
            invoice=Invoice(known_number=keys["invoice"]) if "invoice" in keys else None,
            opportunity=Opportunity(id=strawberry.ID(keys["opportunity"])) if "opportunity" in keys else None,
            entitlement=Entitlement(id=strawberry.ID(keys["entitlement"])) if "entitlement" in keys else None,
            feature=keys.get("feature"),
        )
