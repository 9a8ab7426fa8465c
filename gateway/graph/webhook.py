"""Named consumers and outgoing webhooks in the graph: how far they are, what became of deliveries, replays."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import strawberry

from gateway.events.catalogue import CATALOGUE
from gateway.events.log import StoreUnavailable
from gateway.events.meter import TypeLag
from gateway.events.replay_job import ReplayJob as Job
from gateway.events.source_stream import GapReason
from gateway.events.webhook import Delivery, WebhookState
from gateway.events.webhook import Parked as ParkedEvent
from gateway.graph.context import GraphInfo
from gateway.graph.refusal import refusal

_MAX_DELIVERIES = 200
_MOST_PER_SECOND = 1_000.0
_MAX_REASON = 500
_TYPES = frozenset(row.type for row in CATALOGUE)


@strawberry.type(description="One attempt to deliver one event to a webhook.")
class WebhookDelivery:
    """An entry of the delivery log."""

    event_id: strawberry.ID = strawberry.field(description="The event that was sent.")
    event_type: str = strawberry.field(description="Its type, such as `concord.invoice.paid.v1`.")
    at: datetime = strawberry.field(description="When it was sent.")
    attempt: int = strawberry.field(description="From 1.")
    status: int | None = strawberry.field(description="HTTP status; null where there was no answer.")
    error: str | None = strawberry.field(description="Why it failed; null where the event was taken.")
    duration_ms: float = strawberry.field(description="Milliseconds until the receiver answered or was given up.")
    replay_id: str | None = strawberry.field(description="The replay that it belongs to.")

    @classmethod
    def of(cls, delivery: Delivery) -> WebhookDelivery:
        """Return an attempt as a value of the graph."""
        return cls(
            event_id=strawberry.ID(delivery.event_id),
            event_type=delivery.event_type,
            at=delivery.at,
            attempt=delivery.attempt,
            status=delivery.status,
            error=delivery.error,
            duration_ms=delivery.duration_ms,
            replay_id=delivery.replay_id,
        )


@strawberry.type(description="An event that a webhook could not take; those after it went on. A replay delivers it.")
class ParkedDelivery:
    """An event that was put aside."""

    event_id: strawberry.ID = strawberry.field(
        description="Id of the event that was put aside, as `LifecycleEvent.id` has it."
    )
    event_type: str = strawberry.field(description="Its type, such as `concord.invoice.paid.v1`.")
    subject: strawberry.ID = strawberry.field(description="Global id of the entity that it is about.")
    recorded_at: datetime = strawberry.field(description="When it reached the gateway: a replay's range must hold it.")
    at: datetime = strawberry.field(description="When it was sent last.")
    attempts: int = strawberry.field(description="How often it was sent.")
    reason: str = strawberry.field(description="Why the last attempt failed.")

    @classmethod
    def of(cls, parked: ParkedEvent) -> ParkedDelivery:
        """Return a parked event as a value of the graph."""
        return cls(
            event_id=strawberry.ID(parked.event_id),
            event_type=parked.event_type,
            subject=strawberry.ID(parked.subject),
            recorded_at=parked.recorded_at,
            at=parked.at,
            attempts=parked.attempts,
            reason=parked.reason,
        )


async def resolve_parked(self: Webhook, info: GraphInfo) -> list[ParkedDelivery]:
    """Return the parked events, oldest first. Raises STORE_UNAVAILABLE."""
    async with _available():
        found = await info.context.webhooks.parked(self.name)
    return [ParkedDelivery.of(each) for each in found]


async def resolve_deliveries(self: Webhook, info: GraphInfo, first: int = 20) -> list[WebhookDelivery]:
    """Return the last attempts. Raises BAD_USER_INPUT, STORE_UNAVAILABLE."""
    if not 0 <= first <= _MAX_DELIVERIES:
        raise refusal("BAD_USER_INPUT", f"Ask for 0 to {_MAX_DELIVERIES} deliveries.")
    async with _available():
        found = await info.context.webhooks.deliveries(self.name, first)
    return [WebhookDelivery.of(each) for each in found]


@strawberry.type(description="A receiver outside GraphQL, to which events are posted, signed by Standard Webhooks.")
class Webhook:
    """A webhook of the configuration."""

    name: str = strawberry.field(description="Name in the configuration, and of the consumer that keeps its place.")
    url: str = strawberry.field(description="Where events are posted.")
    delivered: int = strawberry.field(description="Events that it took in all.")
    failing_since: datetime | None = strawberry.field(
        description="Since when nothing got through; null while it works."
    )
    failures: int = strawberry.field(description="Failures in a row.")
    disabled_at: datetime | None = strawberry.field(
        description="When it was switched off; its events wait until somebody enables it."
    )
    reason: str | None = strawberry.field(description="Why it was switched off, or what went wrong last.")

    deliveries: list[WebhookDelivery] | None = strawberry.field(
        resolver=resolve_deliveries, description="The last attempts, newest first; 0 to 200 of them, 20 if not said."
    )
    parked: list[ParkedDelivery] | None = strawberry.field(
        resolver=resolve_parked,
        description="Events that it refused again and again, or failed at while it took others, oldest first.",
    )

    @classmethod
    def of(cls, name: str, url: str, state: WebhookState) -> Webhook:
        """Return a webhook and its state as a value of the graph."""
        return cls(
            name=name,
            url=url,
            delivered=state.delivered,
            failing_since=state.failing_since,
            failures=state.failures,
            disabled_at=state.disabled_at,
            reason=state.reason,
        )


@strawberry.type(description="A reader whose place in the event log outlives it, such as a webhook.")
class EventConsumer:
    """A named consumer."""

    name: str = strawberry.field(description="The consumer's name; a webhook's is that of the configuration.")
    waiting: int = strawberry.field(description="Events of the log that it has not dealt with: its lag.")
    unacknowledged: int = strawberry.field(description="Of those, the ones that it has taken.")
    missed: int = strawberry.field(description="Events that were no longer kept when it came to them.")


@strawberry.type(description="Quantiles of the last events, in seconds.")
class LagQuantiles:
    """Half of the events were no later than `p50`, all but a hundredth no later than `p99`."""

    p50: float = strawberry.field(description="Seconds that half of the events did not exceed.")
    p99: float = strawberry.field(description="Seconds that all but a hundredth of the events did not exceed.")


@strawberry.type(description="How late the events of one type are, as this process has seen since it started.")
class EventLag:
    """One entry of `eventLags`."""

    type: str = strawberry.field(description="The event type, such as `concord.invoice.paid.v1`.")
    recorded: int = strawberry.field(description="Events of the type that reached the log.")
    delivered: int = strawberry.field(description="Deliveries to subscribers that were up to date.")
    last_recorded_at: datetime = strawberry.field(description="When the last of them did.")
    recording: LagQuantiles = strawberry.field(description="From business time to the log.")
    delivery: LagQuantiles | None = strawberry.field(description="From the log to the subscriber.")

    @classmethod
    def of(cls, lag: TypeLag) -> EventLag:
        """Return a type's lag as a value of the graph."""
        return cls(
            type=lag.type,
            recorded=lag.recorded,
            delivered=lag.delivered,
            last_recorded_at=lag.last_recorded_at,
            recording=LagQuantiles(p50=lag.recording.p50, p99=lag.recording.p99),
            delivery=None if lag.delivery is None else LagQuantiles(p50=lag.delivery.p50, p99=lag.delivery.p99),
        )


def resolve_event_lags(info: GraphInfo) -> list[EventLag]:
    """Return the lag of each type that this process has seen."""
    return [EventLag.of(lag) for lag in info.context.streams.meter.lags()]


@strawberry.type(
    description="Gaps of one kind that subscribers were told of, as this process has seen since it started."
)
class EventGapCount:
    """One entry of `eventGaps`."""

    reason: GapReason = strawberry.field(description="Why events were left out.")
    count: int = strawberry.field(description="How many times a subscriber was told so.")


def resolve_event_gaps(info: GraphInfo) -> list[EventGapCount]:
    """Return how many gaps subscribers of this process were told of."""
    gaps = info.context.streams.meter.gaps
    return [EventGapCount(reason=GapReason(reason), count=gaps[reason]) for reason in sorted(gaps)]


@strawberry.type(description="Events of a time range that one consumer gets once more.")
class EventReplay:
    """An unfinished replay."""

    id: strawberry.ID = strawberry.field(description="Name of the replay, told to the receiver with each event.")
    consumer: str = strawberry.field(description="The consumer that gets the events.")
    since: datetime = strawberry.field(description="Events recorded from this instant on.")
    until: datetime = strawberry.field(description="And before this one.")
    types: list[str] | None = strawberry.field(description="Only these types; null for all.")
    per_second: float = strawberry.field(description="The most that are delivered in a second.")
    reason: str = strawberry.field(description="Why, as whoever asked for it said.")
    replayed: int = strawberry.field(description="How many were delivered so far.")

    @classmethod
    def of(cls, job: Job) -> EventReplay:
        """Return a job as a value of the graph."""
        return cls(
            id=strawberry.ID(job.id),
            consumer=job.consumer,
            since=job.since,
            until=job.until,
            types=None if job.types is None else list(job.types),
            per_second=job.per_second,
            reason=job.reason,
            replayed=job.replayed,
        )


@strawberry.input(description="A range of the log, by the time at which events were recorded.")
class ReplayEventsInput:
    """Input of `replayEvents`."""

    consumer: str = strawberry.field(description="The name of a webhook.")
    since: datetime = strawberry.field(description="Events recorded from this instant on.")
    until: datetime | None = strawberry.field(default=None, description="Until now, if absent.")
    types: list[str] | None = strawberry.field(
        default=None, description="Only these types; all, if absent. One that is unknown is refused."
    )
    per_second: float = strawberry.field(default=50.0, description="The most to deliver in a second.")
    reason: str = strawberry.field(description="Why; kept with the replay.")
    client_mutation_id: str | None = None


@strawberry.type(description="What became of `replayEvents`.")
class ReplayEventsPayload:
    """Answer of `replayEvents`."""

    replay: EventReplay = strawberry.field(description="The replay, as it begins.")
    client_mutation_id: str | None


@strawberry.input(description="Which webhook goes on.")
class EnableWebhookInput:
    """Input of `enableWebhook`."""

    name: str = strawberry.field(description="The webhook's name in the configuration.")
    client_mutation_id: str | None = None


@strawberry.type(description="What became of `enableWebhook`.")
class EnableWebhookPayload:
    """Answer of `enableWebhook`."""

    webhook: Webhook = strawberry.field(description="The webhook, enabled.")
    client_mutation_id: str | None


async def resolve_webhooks(info: GraphInfo) -> list[Webhook]:
    """Return the configured webhooks by name. Raises STORE_UNAVAILABLE."""
    async with _available():
        states = await info.context.webhooks.states()
    known = info.context.webhooks.webhooks
    return [Webhook.of(name, known[name].url, state) for name, state in states.items()]


async def resolve_consumers(info: GraphInfo) -> list[EventConsumer]:
    """Return how far each named consumer is. Raises STORE_UNAVAILABLE."""
    async with _available():
        states = await info.context.consumers.states()
    return [
        EventConsumer(name=state.name, waiting=state.waiting, unacknowledged=state.unacknowledged, missed=state.missed)
        for state in states
    ]


async def resolve_replays(info: GraphInfo) -> list[EventReplay]:
    """Return the replays that are not finished. Raises STORE_UNAVAILABLE."""
    async with _available():
        return [EventReplay.of(job) for job in await info.context.webhooks.jobs.all()]


async def replay_events(info: GraphInfo, input: ReplayEventsInput) -> ReplayEventsPayload:  # noqa: A002 - Relay's name
    """Deliver a range to a consumer once more. Raises NOT_FOUND, BAD_USER_INPUT, STORE_UNAVAILABLE."""
    if input.consumer not in info.context.webhooks.webhooks:
        raise refusal("NOT_FOUND", "There is no webhook of this name.")
    until = input.until or datetime.now(UTC) + timedelta(seconds=1)
    if input.since.tzinfo is None or until.tzinfo is None or input.since >= until:
        raise refusal("BAD_USER_INPUT", "`since` lies before `until`, both with a time zone.")
    if strange := sorted(set(input.types or ()) - _TYPES):
        raise refusal("BAD_USER_INPUT", f"There are no events of the type {strange[0][:100]!r}.")
    if not 0 < input.per_second <= _MOST_PER_SECOND:
        raise refusal("BAD_USER_INPUT", f"`perSecond` lies above 0 and is at most {_MOST_PER_SECOND:.0f}.")
    if not 0 < len(input.reason.strip()) <= _MAX_REASON:
        raise refusal("BAD_USER_INPUT", f"Say in 1 to {_MAX_REASON} characters why.")
    async with _available():
        job = await info.context.webhooks.jobs.begin(
            input.consumer,
            since=input.since,
            until=until,
            types=input.types,
            per_second=input.per_second,
            reason=input.reason.strip(),
        )
    return ReplayEventsPayload(replay=EventReplay.of(job), client_mutation_id=input.client_mutation_id)


async def enable_webhook(info: GraphInfo, input: EnableWebhookInput) -> EnableWebhookPayload:  # noqa: A002 - Relay's name
    """Go on with a webhook that was switched off. Raises NOT_FOUND, STORE_UNAVAILABLE."""
    webhooks = info.context.webhooks
    if input.name not in webhooks.webhooks:
        raise refusal("NOT_FOUND", "There is no webhook of this name.")
    async with _available():
        await webhooks.enable(input.name)
        state = (await webhooks.states())[input.name]
    webhook = Webhook.of(input.name, webhooks.webhooks[input.name].url, state)
    return EnableWebhookPayload(webhook=webhook, client_mutation_id=input.client_mutation_id)


@asynccontextmanager
async def _available() -> AsyncIterator[None]:
    try:
        yield
    except StoreUnavailable as error:
        raise refusal("STORE_UNAVAILABLE") from error
