"""`LifecycleEvent` in the graph: what happened, and the entities it happened to."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import strawberry

from gateway.events.cursor import log_of
from gateway.events.event import Change
from gateway.events.source_stream import Gap, GapReason, StreamedEvent
from gateway.graph.context import GraphInfo
from gateway.graph.descriptions import described_enum
from gateway.graph.entities import Contract, Customer, Entitlement, Invoice, Opportunity
from gateway.graph.guards import SEES_EVENTS
from gateway.graph.workflow import Workflow, find_workflow

GAP_TYPE = "concord.gap.announced.v1"
"""Type of the announcement of a gap: it has no contract, since no system publishes it."""


@strawberry.type(description="A field that changed, with its values as text.")
class FieldChange:
    """One entry of `changes`."""

    field: str = strawberry.field(
        description="Name of the field as the subject's type has it; a part of it with a dot, such as `renewal.dueOn`."
    )
    before: str | None = strawberry.field(name="from", description="The value before; null where there was none.")
    after: str | None = strawberry.field(name="to", description="The value after; null where there is none anymore.")

    @classmethod
    def of(cls, change: Change) -> FieldChange:
        """Return the change as a value of the graph."""
        return cls(field=change.field, before=change.before, after=change.after)


async def _workflow(self: LifecycleEvent, info: GraphInfo) -> Workflow | None:
    return None if self.workflow_id is None else await find_workflow(info, self.workflow_id)


described_enum(
    "Why a subscriber does not get events.",
    SKIPPED="The subscriber was far behind, and had asked to skip.",
    EXPIRED="They were no longer kept.",
    LOG_REPLACED="The log lost events, or is another one than the one that the subscriber read.",
)(GapReason)


@strawberry.type(
    description="Events that the subscriber does not get. What was read before may be stale: read it again."
)
class EventGap:
    """The field `gap`."""

    reason: GapReason = strawberry.field(description="Why they are left out.")
    missed: int | None = strawberry.field(description="How many; null where nobody can know.")


@strawberry.type(
    directives=[SEES_EVENTS],
    description="Something that happened in a system of record. It names the entities; their fields are read from the owners.",
)
class LifecycleEvent:
    """An event on its way to a client."""

    id: strawberry.ID = strawberry.field(description="The same for the same happening, however often it is delivered.")
    type: str = strawberry.field(
        description="What happened, such as `concord.contract.activated.v1`; `schema/events` has the contract of each type."
    )
    subject: strawberry.ID = strawberry.field(description="Global id of the entity; its events come in order.")
    time: datetime = strawberry.field(description="When it happened in the business, in UTC.")
    recorded_time: datetime = strawberry.field(
        description="When it reached the gateway, in UTC; later than `time` by the event's lag."
    )
    sequence: int = strawberry.field(description="Count of the subject's events, from 1, without holes.")
    cursor: str = strawberry.field(description="A subscription that starts with it goes on with the next event.")
    correlation_id: str | None = strawberry.field(
        description="The workflow that it belongs to; null outside of workflows."
    )
    causation_id: str | None = strawberry.field(description="Id of the event that caused it; null where none did.")
    replay_of: strawberry.ID | None = strawberry.field(
        description="The dead letter that it was until somebody replayed it; null for what came by itself."
    )
    source: str = strawberry.field(description="Who sent it, such as `concord/billing`.")
    coalesced: int = strawberry.field(
        description="How many older events of its subject and type it stands for, where the subscriber asked for that."
    )
    gap: EventGap | None = strawberry.field(
        description="Set where this is no event of a system but tells of those that are left out here."
    )
    changes: list[FieldChange] = strawberry.field(
        description="Fields of the subject that changed; the record as it is now is read from its owner."
    )
    customer: Customer | None = strawberry.field(description="The customer it is about; null where it is about none.")
    contract: Contract | None = strawberry.field(description="The contract it is about; null where it is about none.")
    invoice: Invoice | None = strawberry.field(description="The invoice it is about; null where it is about none.")
    opportunity: Opportunity | None = strawberry.field(description="The deal it is about; null where it is about none.")
    entitlement: Entitlement | None = strawberry.field(
        description="The entitlement it is about; null where it is about none."
    )
    feature: str | None = strawberry.field(
        description="Key of the feature whose use or right it is about; null where it is about none."
    )
    workflow: Workflow | None = strawberry.field(
        resolver=_workflow, description="The workflow it is about; null where it is about none."
    )
    workflow_id: strawberry.Private[str | None] = None

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
            coalesced=streamed.coalesced,
            gap=None,
            changes=[FieldChange.of(change) for change in event.changes],
            customer=Customer(id=strawberry.ID(keys["customer"])) if "customer" in keys else None,
            contract=Contract(known_number=keys["contract"]) if "contract" in keys else None,
            invoice=Invoice(known_number=keys["invoice"]) if "invoice" in keys else None,
            opportunity=Opportunity(id=strawberry.ID(keys["opportunity"])) if "opportunity" in keys else None,
            entitlement=Entitlement(id=strawberry.ID(keys["entitlement"])) if "entitlement" in keys else None,
            feature=keys.get("feature"),
            workflow_id=keys.get("workflow"),
        )

    @classmethod
    def of_gap(cls, gap: Gap) -> LifecycleEvent:
        """Return the announcement of a gap, as a value of the graph that is in no log."""
        now = datetime.now(UTC)
        subject = base64.urlsafe_b64encode(f"EventLog:{log_of(gap.cursor)}".encode()).decode().rstrip("=")
        return cls(
            id=strawberry.ID(f"gateway:gap:{gap.cursor}"),
            type=GAP_TYPE,
            subject=strawberry.ID(subject),
            time=now,
            recorded_time=now,
            sequence=0,
            cursor=gap.cursor,
            correlation_id=None,
            causation_id=None,
            replay_of=None,
            source="concord/gateway",
            coalesced=0,
            gap=EventGap(reason=gap.reason, missed=gap.missed),
            changes=[],
            customer=None,
            contract=None,
            invoice=None,
            opportunity=None,
            entitlement=None,
            feature=None,
            workflow_id=None,
        )
