"""The federated schema of the in-process subgraph `concord`."""

from __future__ import annotations

import asyncio
from typing import Annotated

import strawberry
from graphql import GraphQLError, GraphQLSchema
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from gateway.errors import GatewayError
from gateway.events.dead_letter_desk import dead_letter_number
from gateway.events.log import StoreUnavailable
from gateway.graph.amend_contract import AmendContractMutation
from gateway.graph.close_opportunity import CloseOpportunityMutation
from gateway.graph.consumers import tag
from gateway.graph.context import GraphInfo
from gateway.graph.credit_contract import CreditContractMutation
from gateway.graph.customer_mutation import CustomerMutation
from gateway.graph.dead_letter import DeadLetter, DeadLetterCause
from gateway.graph.dead_letter_connection import (
    DeadLetterConnection,
    may_see_letter,
    resolve_dead_letter_causes,
    resolve_dead_letters,
)
from gateway.graph.dead_letter_mutation import (
    DeadLetterPayload,
    DiscardDeadLettersPayload,
    ReplayDeadLettersPayload,
    discard_dead_letter,
    discard_dead_letters,
    replay_dead_letter,
    replay_dead_letters,
)
from gateway.graph.descriptions import describe, described_enum
from gateway.graph.distribute_product import DistributeProductMutation
from gateway.graph.drift import Drift, ReconciliationRun, find_drift
from gateway.graph.drift_connection import (
    DriftConnection,
    ReconciliationRunConnection,
    resolve_drift,
    resolve_drifts,
    resolve_run,
    resolve_runs,
)
from gateway.graph.drift_mutation import DriftMutation
from gateway.graph.entities import NODES, entity_stub
from gateway.graph.event_connection import LifecycleEventConnection, event_page
from gateway.graph.event_filter import LifecycleEventFilter, to_event_filter
from gateway.graph.global_id import typename_of
from gateway.graph.guards import MAY_OPERATE, SEES_OPERATIONS
from gateway.graph.node import Node
from gateway.graph.refusal import refusal, to_graphql_error
from gateway.graph.renew_contract import RenewContractMutation
from gateway.graph.scalars import SCALARS
from gateway.graph.subscription import Subscription
from gateway.graph.systems import SystemStatus
from gateway.graph.webhook import (
    EnableWebhookPayload,
    EventConsumer,
    EventGapCount,
    EventLag,
    EventReplay,
    ReplayEventsPayload,
    Webhook,
    enable_webhook,
    replay_events,
    resolve_consumers,
    resolve_event_gaps,
    resolve_event_lags,
    resolve_replays,
    resolve_webhooks,
)
from gateway.graph.workflow import Workflow, WorkflowEvidenceCheck, check_evidence, find_workflow
from gateway.graph.workflow_connection import WorkflowConnection, resolve_workflows
from gateway.graph.workflow_mutation import WorkflowMutation

_MAX_NODES = 200
_CACHED_DOCUMENTS = 500

described_enum(
    "How a system does, as the gateway sees it from its own requests.",
    UP="What it was asked lately, it answered.",
    DEGRADED="Some of the requests to it failed lately; its fields may be null.",
    DOWN="All failed lately, or so many that the gateway does not ask it for a while; its fields are null.",
    UNKNOWN="The gateway has not asked it yet.",
)(SystemStatus)


@strawberry.type(description="A system of record, or another source of the graph.")
class System:
    """One entry of `systems`."""

    name: str = strawberry.field(description="Name as in errors and in `Identity.system`, such as `crm`.")
    owner: str | None = strawberry.field(description="Handle of the team to turn to; null where none is configured.")
    status: SystemStatus = strawberry.field(description="How it does, as the gateway sees it from its own requests.")


async def resolve_node(
    info: GraphInfo,
    id: Annotated[strawberry.ID, strawberry.argument(description="Global id, as the object's own `id` has it.")],  # noqa: A002 - the argument's name
) -> Node | None:
    """Return the stub of an entity that exists. Raises BAD_USER_INPUT and what its owner raises."""
    typename = typename_of(id)
    if typename == DeadLetter.__name__:
        return await find_dead_letter(info, id)
    if typename == Workflow.__name__:
        return await find_workflow(info, id)
    if typename == Drift.__name__:
        return await find_drift(info, id)
    if entity_stub(typename, id) is None:
        return None
    try:
        # A merged customer answers with the id it goes by now.
        current = await info.context.entity_key(typename, ("id", id), "id")
    except GatewayError as error:
        raise to_graphql_error(error) from error
    return None if current is None else entity_stub(typename, current)


async def find_dead_letter(info: GraphInfo, id: strawberry.ID) -> DeadLetter | None:  # noqa: A002 - the argument's name
    """Return a dead letter, or None. Raises STORE_UNAVAILABLE."""
    number = dead_letter_number(id)
    try:
        letter = None if number is None else await info.context.desk.letters.get(number)
    except StoreUnavailable as error:
        raise refusal("STORE_UNAVAILABLE") from error
    if letter is None or not await may_see_letter(info, letter):
        return None
    return DeadLetter.of(letter)


async def resolve_nodes(
    info: GraphInfo,
    ids: Annotated[
        list[strawberry.ID],
        strawberry.argument(description="Global ids, 200 at most; text that is no global id is refused."),
    ],
) -> list[Node | None]:
    """Return the stubs in the order of the ids. Raises BAD_USER_INPUT and what the owners raise."""
    if len(ids) > _MAX_NODES:
        raise refusal("BAD_USER_INPUT", f"Ask for at most {_MAX_NODES} nodes at once.")
    for id_ in ids:
        typename_of(id_)
    return list(await asyncio.gather(*(resolve_node(info, id_) for id_ in ids)))


async def resolve_events(
    info: GraphInfo,
    filter: LifecycleEventFilter | None = None,  # noqa: A002 - the argument's name
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> LifecycleEventConnection:
    """Return a page of the log."""
    wanted = to_event_filter(filter)
    context = info.context
    return await event_page(context.log, wanted, context.sight, first=first, after=after, last=last, before=before)


async def resolve_workflow(
    info: GraphInfo,
    id: Annotated[strawberry.ID, strawberry.argument(description="The workflow's global id.")],  # noqa: A002 - the argument's name
) -> Workflow | None:
    """Return a workflow. Raises BAD_USER_INPUT, STORE_UNAVAILABLE."""
    return await find_workflow(info, id)


async def resolve_systems(info: GraphInfo) -> list[System]:
    """Return the systems as their directory knows them."""
    states = await info.context.directory.systems()
    return [System(name=state.name, owner=state.owner, status=state.status) for state in states]


@strawberry.type(
    description="What can be read. Each field is answered by the system that owns it, and null with a located error when that system fails."
)
class Query:
    """What the gateway itself can be asked."""

    node: Node | None = strawberry.field(
        resolver=resolve_node, description="The object with this id; null if there is none."
    )
    nodes: list[Node | None] | None = strawberry.field(
        resolver=resolve_nodes,
        description="The objects with these ids, in their order; null for each that does not exist.",
    )
    events: LifecycleEventConnection | None = strawberry.field(
        resolver=resolve_events, description="What happened, oldest first, as far back as events are kept."
    )
    dead_letters: DeadLetterConnection | None = strawberry.field(
        resolver=resolve_dead_letters,
        description="Events that broke their contract, oldest first; those that wait, unless another state is asked for.",
    )
    dead_letter_causes: list[DeadLetterCause] | None = strawberry.field(
        resolver=resolve_dead_letter_causes,
        description="The dead letters that wait, grouped by what is wrong with them.",
    )
    workflow: Workflow | None = strawberry.field(
        resolver=resolve_workflow, description="The workflow with this id; null if there is none."
    )
    workflows: WorkflowConnection | None = strawberry.field(
        resolver=resolve_workflows,
        directives=[SEES_OPERATIONS],
        description="Writes over several systems, the newest first.",
    )
    drift: Drift | None = strawberry.field(
        resolver=resolve_drift, description="The drift with this id; null if there is none."
    )
    drifts: DriftConnection | None = strawberry.field(
        resolver=resolve_drifts,
        directives=[SEES_OPERATIONS],
        description="Where copies don't say what their owners say, the newest first.",
    )
    reconciliation_run: ReconciliationRun | None = strawberry.field(
        resolver=resolve_run, description="The reconciliation with this id; null if there is none."
    )
    reconciliation_runs: ReconciliationRunConnection | None = strawberry.field(
        resolver=resolve_runs,
        directives=[SEES_OPERATIONS],
        description="Comparisons of owners with copies, the newest first.",
    )
    webhooks: list[Webhook] | None = strawberry.field(
        resolver=resolve_webhooks,
        directives=[SEES_OPERATIONS],
        description="Receivers outside GraphQL, and what became of their deliveries.",
    )
    event_consumers: list[EventConsumer] | None = strawberry.field(
        resolver=resolve_consumers,
        directives=[SEES_OPERATIONS],
        description="Readers whose place in the event log outlives them, and their lag.",
    )
    event_lags: list[EventLag] | None = strawberry.field(
        resolver=resolve_event_lags, directives=[SEES_OPERATIONS], description="How late events are, by type."
    )
    event_gaps: list[EventGapCount] | None = strawberry.field(
        resolver=resolve_event_gaps, directives=[SEES_OPERATIONS], description="Gaps that subscribers were told of."
    )
    event_replays: list[EventReplay] | None = strawberry.field(
        resolver=resolve_replays, directives=[SEES_OPERATIONS], description="Replays that are not finished."
    )
    workflow_evidence: WorkflowEvidenceCheck | None = strawberry.field(
        resolver=check_evidence,
        directives=[SEES_OPERATIONS],
        description="Whether the record of what workflows asked and were answered is unbroken; every entry is checked.",
    )
    systems: list[System] | None = strawberry.field(
        resolver=resolve_systems, description="The systems behind the graph, who owns them and how they do."
    )


@strawberry.type(
    description="What can be changed. Each field has one owner; a repeat with the same key gives the first answer again."
)
class Mutation(
    CloseOpportunityMutation,
    AmendContractMutation,
    RenewContractMutation,
    CreditContractMutation,
    CustomerMutation,
    DistributeProductMutation,
    WorkflowMutation,
    DriftMutation,
):
    """What operations can do about what the gateway itself keeps."""

    replay_dead_letter: DeadLetterPayload | None = strawberry.field(
        resolver=replay_dead_letter,
        directives=[MAY_OPERATE],
        description="Send a dead letter that fits its contract by now on to all consumers, flagged as a replay.",
    )
    replay_dead_letters: ReplayDeadLettersPayload | None = strawberry.field(
        resolver=replay_dead_letters,
        directives=[MAY_OPERATE],
        description="Replay the dead letters of a cause, oldest first and throttled, for up to 20 seconds a call.",
    )
    discard_dead_letter: DeadLetterPayload | None = strawberry.field(
        resolver=discard_dead_letter,
        directives=[MAY_OPERATE],
        description="Put a dead letter away for good, saying why.",
    )
    discard_dead_letters: DiscardDeadLettersPayload | None = strawberry.field(
        resolver=discard_dead_letters,
        directives=[MAY_OPERATE],
        description="Put the dead letters of a cause away for good, saying why.",
    )
    replay_events: ReplayEventsPayload | None = strawberry.field(
        resolver=replay_events,
        directives=[MAY_OPERATE],
        description="Deliver the events of a time range to one consumer once more, throttled and flagged as replays.",
    )
    enable_webhook: EnableWebhookPayload | None = strawberry.field(
        resolver=enable_webhook,
        directives=[MAY_OPERATE],
        description="Go on with a webhook that was switched off, where it stopped.",
    )


class GraphSchema(strawberry.federation.Schema):
    """Refusals are answers, not log lines; anything else is logged by the caller of the schema."""

    @property
    def graphql_schema(self) -> GraphQLSchema:
        """The schema as graphql-core executes it."""
        return self._schema

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Let strawberry log bugs only."""
        bugs = [error for error in errors if not isinstance(error.original_error, GraphQLError | GatewayError | None)]
        if bugs:
            super().process_errors(bugs, execution_context)


def create_schema() -> GraphSchema:
    """Return the schema; its operations are executed with a `GraphContext` as context value."""

    def build() -> GraphSchema:
        return GraphSchema(
            query=Query,
            mutation=Mutation,
            subscription=Subscription,
            types=(*NODES, DeadLetter, Workflow, Drift),
            config=StrawberryConfig(scalar_map=dict(SCALARS)),
            extensions=[
                lambda: ParserCache(maxsize=_CACHED_DOCUMENTS),
                lambda: ValidationCache(maxsize=_CACHED_DOCUMENTS),
            ],
        )

    tag(build())  # types are known, and links to the directives' specifications written, when a schema is built
    schema = build()
    describe(schema._schema)  # noqa: SLF001 - strawberry offers no other way to the built schema
    return schema
