"""`Subscription`: lifecycle events as they happen, from a cursor on, filtered, and at the subscriber's own pace."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Annotated, cast

import strawberry

from gateway.errors import GatewayError
from gateway.events.catalogue import SUBJECTS
from gateway.events.source_stream import Gap, Streamed, WhenBehind
from gateway.graph.account_owner import is_of_owners
from gateway.graph.context import GraphContext, GraphInfo
from gateway.graph.descriptions import described_enum
from gateway.graph.event_filter import LifecycleEventFilter, to_event_filter, wanted_owners
from gateway.graph.lifecycle_event import LifecycleEvent
from gateway.graph.refusal import to_graphql_error

described_enum(
    "What a subscriber gets that reads more slowly than events come.",
    KEEP="Every event, however late. What is no longer kept ends the subscription with EVENT_CURSOR_EXPIRED.",
    COALESCE="Of those that wait, the newest of each subject and type. Events that are no longer kept are announced as a gap.",
    SKIP="Once more than a thousand wait, none of them: a gap is announced, and the subscription goes on with what comes.",
)(WhenBehind)


def stream_of(*subjects: str) -> Callable[..., Awaitable[AsyncGenerator[LifecycleEvent]]]:
    """Return the resolver of a subscription to the events of these subjects (`renewal`).

    Its refusals (BAD_USER_INPUT, EVENT_CURSOR_*) come before the first event: the subscription never begins.
    """

    async def subscribe(
        info: GraphInfo,
        filter: LifecycleEventFilter | None = None,  # noqa: A002 - the argument's name
        cursor: str | None = None,
        when_behind: Annotated[
            WhenBehind, strawberry.argument(description="What to get after falling behind; every event, if absent.")
        ] = WhenBehind.KEEP,
    ) -> AsyncGenerator[LifecycleEvent]:
        owners = wanted_owners(filter)
        wanted = to_event_filter(filter, frozenset(subjects))
        try:
            after = info.context.resume_after if cursor is None else cursor
            stream = info.context.streams.subscribe(wanted, after, when_behind)
        except GatewayError as error:
            raise to_graphql_error(error) from error
        seen = _seen(stream, info.context, owners)
        return cast("AsyncGenerator[LifecycleEvent]", seen) if info.context.announces else _events(seen)

    return subscribe


async def _events(seen: AsyncGenerator[Streamed]) -> AsyncGenerator[LifecycleEvent]:
    async with aclosing(seen):
        async for streamed in seen:
            yield LifecycleEvent.of_gap(streamed) if isinstance(streamed, Gap) else LifecycleEvent.of(streamed)


async def _seen(
    stream: AsyncGenerator[Streamed], context: GraphContext, owners: frozenset[str] | None
) -> AsyncGenerator[Streamed]:
    sight = context.sight
    async with aclosing(stream):
        try:
            async for streamed in stream:
                if isinstance(streamed, Gap):
                    # How many of them the caller might have seen, nobody has counted.
                    yield streamed if sight is None else replace(streamed, missed=None)
                elif sight is not None and not await sight.sees_event(streamed.recorded.event):
                    continue
                elif owners is None or await is_of_owners(streamed.recorded.event, owners, context):
                    yield streamed
        except GatewayError as error:
            raise to_graphql_error(error) from error


@strawberry.type(
    description="Changes as they happen. With a `cursor`, what came after it is delivered first; nothing is missed."
)
class Subscription:
    """Changes as they happen. With a `cursor`, what came after it is delivered first; nothing is missed or doubled."""

    customer_events = strawberry.subscription(
        resolver=stream_of("customer", "opportunity"),
        description="What happens to customers and their opportunities.",
    )
    renewal_updates = strawberry.subscription(
        resolver=stream_of("renewal"), description="What is due, decided or missed in renewals."
    )
    contract_events = strawberry.subscription(
        resolver=stream_of("contract", "revenue"),
        description="What happens to contracts, from creation to their end, and to the revenue from them.",
    )
    invoice_events = strawberry.subscription(
        resolver=stream_of("invoice", "payment", "credit_memo", "journal"),
        description="What happens to invoices, their payments and credit memos, and in the ledger.",
    )
    workflow_updates = strawberry.subscription(
        resolver=stream_of("workflow"),
        description="Workflows that begin, fail at a step, are completed or undone.",
    )
    entitlement_changes = strawberry.subscription(
        resolver=stream_of("entitlement", "usage"),
        description="What customers may use, and how much of it they have used.",
    )
    operations_updates = strawberry.subscription(
        resolver=stream_of("workflow", "drift", "source", "dead_letter"),
        description="What operations should know: workflows, drift, systems in trouble, dead letters.",
    )
    lifecycle_events = strawberry.subscription(
        resolver=stream_of(*SUBJECTS), description="Everything that happens, of every type."
    )
