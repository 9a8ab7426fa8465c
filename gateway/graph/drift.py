"""`Drift` in the graph: where copies don't say what their owners say, by how much and since when, and the runs that found it."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum

import strawberry
from strawberry.federation.schema_directives import Key
from strawberry.federation.types import FieldSet

from gateway.errors import GatewayError
from gateway.graph.context import GraphInfo
from gateway.graph.entities import Contract, Customer, Product
from gateway.graph.global_id import local_id
from gateway.graph.guards import SEES_OPERATIONS
from gateway.graph.node import Node
from gateway.graph.refusal import to_graphql_error
from gateway.graph.sighted import seen_drifts
from gateway.graph.workflow import Workflow, find_workflow, instant
from gateway.writes.reconciliation import model
from gateway.writes.reconciliation.desk import ReconciliationDesk
from gateway.writes.reconciliation.model import DriftKind, DriftStatus, RunStatus, drift_global_id
from gateway.writes.workflows.announcements import workflow_global_id

_KIND: dict[StrEnum, str] = {
    DriftKind.CUSTOMER: "A field of a customer's records, or a record that is missing.",
    DriftKind.CONTRACT: "A contract's value, or what was invoiced, paid or recognised of it.",
    DriftKind.PRODUCT: "A product's name or list price in a catalogue, or a catalogue that lacks it.",
}
_STATUS: dict[StrEnum, str] = {
    DriftStatus.OPEN: "The systems disagree, and nobody has said that they may.",
    DriftStatus.ACCEPTED: "Somebody said why they may; with other values it is open again.",
    DriftStatus.RESOLVED: "They agree again, or what it was about is not there anymore.",
}
_RUN_STATUS: dict[StrEnum, str] = {
    RunStatus.RUNNING: "It is under way.",
    RunStatus.COMPLETED: "Everything in its scope was compared.",
    RunStatus.PARTIAL: "Some system could not be asked; of what it holds nothing is said.",
    RunStatus.INTERRUPTED: "Its gateway stopped before the end; another run begins anew.",
}
strawberry.enum(DriftKind, description="What two systems disagree about.")
strawberry.enum(DriftStatus, description="Where a drift stands.")
strawberry.enum(RunStatus, name="ReconciliationStatus", description="Where a reconciliation stands.")
for _members, _said in ((DriftKind, _KIND), (DriftStatus, _STATUS), (RunStatus, _RUN_STATUS)):
    # Enums of another room: they know nothing of the graph, so their sentences stand here.
    for _value in getattr(_members, "__strawberry_definition__").values:  # noqa: B009 - strawberry adds it
        _value.description = _said[_members(_value.value)]


async def _workflow(self: Drift, info: GraphInfo) -> Workflow | None:
    workflow = self.record.workflow
    return None if workflow is None else await find_workflow(info, workflow_global_id(workflow))


def _mended_by(self: Drift, info: GraphInfo) -> str | None:
    return reconciliation_of(info).mended_by(self.record)


def _owner_value(self: Drift, info: GraphInfo) -> str | None:
    return info.context.hidden.value(self.record.found.place.field, self.record.found.owner_value)


def _copy_value(self: Drift, info: GraphInfo) -> str | None:
    return info.context.hidden.value(self.record.found.place.field, self.record.found.copy_value)


def _difference(self: Drift, info: GraphInfo) -> str | None:
    found = self.record.found
    hides = found.place.field in info.context.hidden.names
    return None if found.difference is None or hides else str(found.difference)


@strawberry.federation.type(
    keys=[Key(fields=FieldSet("id"), resolvable=True)],
    directives=[SEES_OPERATIONS],
    description="A copy that does not say what its owner says: of one field, in one system, from discovery to agreement.",
)
class Drift(Node):
    """A drift as it was read."""

    kind: DriftKind = strawberry.field(description="What it is about.")
    field: str = strawberry.field(
        description="The field, in the words of the graph: `name`, `taxIds`, `invoiced`; `record` where a whole record is missing."
    )
    owner: str = strawberry.field(description="The system whose value counts, such as `crm`.")
    system: str = strawberry.field(description="The system that holds the other value, such as `erp`.")
    owner_value: str | None = strawberry.field(
        resolver=_owner_value, description="What the owner says, as text; null where it says nothing."
    )
    copy_value: str | None = strawberry.field(
        resolver=_copy_value, description="What the copy says, as text; null where it says nothing."
    )
    difference: str | None = strawberry.field(
        resolver=_difference, description="Copy less owner, as a decimal; null where they are no amounts."
    )
    currency: str | None = strawberry.field(description="ISO 4217 code of the amounts; null where they are none.")
    status: DriftStatus = strawberry.field(description="Whether somebody has to look at it.")
    detected_at: datetime = strawberry.field(description="When a run came across it first.")
    seen_at: datetime = strawberry.field(description="When it was last found to be so.")
    resolved_at: datetime | None = strawberry.field(description="When they agreed again; null before.")
    accepted_by: str | None = strawberry.field(description="Who accepted it; null where nobody in particular did.")
    reason: str | None = strawberry.field(description="Why it was accepted.")
    customer: Customer | None = strawberry.field(description="The customer it concerns.")
    contract: Contract | None = strawberry.field(
        description="The contract it concerns; null for one of a customer's fields."
    )
    product: Product | None = strawberry.field(description="The product it concerns; null for all others.")
    mended_by: str | None = strawberry.field(
        resolver=_mended_by,
        description="The kind of workflow that `mendDrift` starts for it; null where people have to put one of the systems right.",
    )
    workflow: Workflow | None = strawberry.field(
        resolver=_workflow, description="The workflow that was last started to mend it."
    )
    record: strawberry.Private[model.Drift]

    @classmethod
    def of(cls, drift: model.Drift) -> Drift:
        """Return the value of a record."""
        found = drift.found
        is_contract = found.place.kind is DriftKind.CONTRACT
        return cls(
            id=strawberry.ID(drift_global_id(drift.id)),
            kind=found.place.kind,
            field=found.place.field,
            owner=found.owner,
            system=found.place.system,
            currency=found.currency,
            status=drift.status,
            detected_at=datetime.fromtimestamp(drift.detected_at, UTC),
            seen_at=datetime.fromtimestamp(drift.seen_at, UTC),
            resolved_at=instant(drift.resolved_at),
            accepted_by=drift.accepted_by,
            reason=drift.reason,
            customer=None if found.customer is None else Customer(id=strawberry.ID(found.customer)),
            contract=Contract(known_id=found.place.subject, known_number=found.contract) if is_contract else None,
            product=Product(sku=found.place.subject) if found.place.kind is DriftKind.PRODUCT else None,
            record=drift,
        )

    @classmethod
    async def resolve_reference(cls, info: GraphInfo, id: strawberry.ID) -> Drift | None:  # noqa: A002 - the key's name
        """Return the drift of a global id."""
        return await find_drift(info, id)


@strawberry.type(description="A system that could not be asked during a reconciliation.")
class UnreachableSystem:
    """An entry of `unreachable`."""

    system: str = strawberry.field(description="Its name, such as `erp`.")
    code: str = strawberry.field(description="Why, as in errors: `SYSTEM_TIMEOUT`.")
    subjects: int = strawberry.field(
        description="How many customers, contracts and products were not wholly compared for it; 0 where nobody can know how many there are."
    )


@strawberry.type(directives=[SEES_OPERATIONS], description="One comparison of owners with copies.")
class ReconciliationRun:
    """A run as it was read."""

    id: strawberry.ID = strawberry.field(description="Equal for the same run.")
    status: RunStatus = strawberry.field(description="Where it stands.")
    kinds: list[DriftKind] = strawberry.field(description="What it compares.")
    customer: Customer | None = strawberry.field(description="The only customer it is about; null for all.")
    contract: Contract | None = strawberry.field(description="The only contract it is about; null for all.")
    product: Product | None = strawberry.field(description="The only product it is about; null for all.")
    scheduled: bool = strawberry.field(description="Whether the gateway began it by itself.")
    requested_by: str | None = strawberry.field(description="Who asked for it; null where nobody in particular did.")
    started_at: datetime = strawberry.field(description="When it began.")
    finished_at: datetime | None = strawberry.field(description="When it ended; null before.")
    total: int | None = strawberry.field(
        description="Customers, contracts and products in its scope, as far as their lists have been opened; null before."
    )
    compared: int = strawberry.field(description="How many of them were compared, in part at least.")
    differing: int = strawberry.field(description="Fields that differ beyond their tolerance, accepted ones included.")
    opened: int = strawberry.field(description="Drifts that it opened, or opened again.")
    resolved: int = strawberry.field(description="Drifts that it found to be resolved.")
    unreachable: list[UnreachableSystem] = strawberry.field(description="Who could not be asked.")

    @classmethod
    def of(cls, run: model.Run) -> ReconciliationRun:
        """Return the value of a record."""
        scope, tally = run.scope, run.tally
        return cls(
            id=strawberry.ID(run.id),
            status=run.status,
            kinds=list(scope.kinds),
            customer=None if scope.customer is None else Customer(id=strawberry.ID(scope.customer)),
            contract=None if scope.contract is None else Contract(known_id=scope.contract),
            product=None if scope.product is None else Product(sku=scope.product),
            scheduled=run.is_scheduled,
            requested_by=run.asked_by,
            started_at=datetime.fromtimestamp(run.started_at, UTC),
            finished_at=instant(run.finished_at),
            total=tally.total,
            compared=tally.compared,
            differing=tally.differing,
            opened=tally.opened,
            resolved=tally.resolved,
            unreachable=[
                UnreachableSystem(system=each.system, code=each.code, subjects=each.subjects)
                for each in tally.unreachable
            ],
        )


def reconciliation_of(info: GraphInfo) -> ReconciliationDesk:
    """Return where reconciliation is asked for. Raises STORE_UNAVAILABLE where the gateway keeps no drift."""
    if info.context.reconciliation is None:
        told = "This gateway keeps no drift; `[workflows]` configures its store."
        raise to_graphql_error(GatewayError("STORE_UNAVAILABLE", told))
    return info.context.reconciliation


def local_drift_id(global_id: str) -> str:
    """Return the drift's own id. Raises BAD_USER_INPUT for the id of something else."""
    return local_id(global_id, "Drift")


async def find_drift(info: GraphInfo, global_id: str) -> Drift | None:
    """Return the drift of a global id, or None. Raises BAD_USER_INPUT, STORE_UNAVAILABLE."""
    try:
        drift = await reconciliation_of(info).find(local_drift_id(global_id))
        seen = [] if drift is None else await seen_drifts(info.context, [drift])
    except GatewayError as error:
        raise to_graphql_error(error) from error
    return Drift.of(seen[0]) if seen else None
