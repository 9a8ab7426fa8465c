"""`DeadLetter` in the graph: events that broke their contract, to list, inspect, and group by cause."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Annotated

import strawberry

from gateway.events.dead_letter_desk import dead_letter_id
from gateway.events.dead_letters import DeadLetter as Letter
from gateway.events.dead_letters import DeadLetterCause as Cause
from gateway.events.dead_letters import DeadLetterFilter, DeadLetterState
from gateway.events.log import StoreUnavailable
from gateway.graph.context import GraphInfo
from gateway.graph.descriptions import described_enum
from gateway.graph.guards import SEES_OPERATIONS
from gateway.graph.node import Node
from gateway.graph.page_info import PageInfo
from gateway.graph.refusal import refusal

_DEFAULT_PAGE_SIZE = 50
_MAX_PAGE_SIZE = 200
_MAX_TEXT = 200

described_enum(
    "What became of a dead letter.",
    WAITING="Nobody has dealt with it; consumers don't know of the event.",
    REPLAYED="It was sent on to all consumers, flagged as a replay.",
    DISCARDED="It was put away for good; consumers will never know of the event.",
)(DeadLetterState)


@strawberry.type(
    directives=[SEES_OPERATIONS],
    description="An event that broke its contract, as it arrived; consumers never saw it. It waits until somebody replays or discards it.",
)
class DeadLetter(Node):
    """A dead letter as a value of the graph."""

    event_id: str | None = strawberry.field(description="The event's own id; null where it could not be read.")
    event_type: str | None = strawberry.field(
        description="What it says it is, such as `concord.renewal.due.v1`; null where it could not be read."
    )
    source: str | None = strawberry.field(
        description="Who sent it, such as `concord/billing`; null where it could not be read."
    )
    rule: str = strawberry.field(description="What it broke, equal for equal causes: `data.keys: required`.")
    message: str = strawberry.field(description="What is wrong with it, in a sentence.")
    body: str = strawberry.field(description="The event as it arrived, as JSON text.")
    times: int = strawberry.field(description="How often the very same event arrived.")
    first_seen: datetime = strawberry.field(description="When it arrived for the first time.")
    last_seen: datetime = strawberry.field(description="When it last arrived.")
    state: DeadLetterState = strawberry.field(description="Whether somebody has dealt with it.")
    settled_at: datetime | None = strawberry.field(
        description="When it was replayed or discarded; null while it waits."
    )
    reason: str | None = strawberry.field(
        description="Why it was discarded, or what the log said to its replay; null while it waits."
    )

    @classmethod
    def of(cls, letter: Letter) -> DeadLetter:
        """Return a letter of the store as a value of the graph."""
        rejected, settled = letter.rejected, letter.settled
        return cls(
            id=strawberry.ID(dead_letter_id(letter.number)),
            event_id=rejected.event_id,
            event_type=rejected.event_type,
            source=rejected.source,
            rule=rejected.broken.rule,
            message=rejected.broken.message,
            body=rejected.body.decode(),
            times=letter.times,
            first_seen=letter.first_seen,
            last_seen=letter.last_seen,
            state=letter.state,
            settled_at=settled.at if settled else None,
            reason=settled.reason if settled else None,
        )


@strawberry.type(
    directives=[SEES_OPERATIONS],
    description="Waiting dead letters of one type that broke the same rule: most likely one fault.",
)
class DeadLetterCause:
    """One entry of `deadLetterCauses`."""

    event_type: str | None = strawberry.field(description="What they say they are; null where that could not be read.")
    rule: str = strawberry.field(
        description="What they all broke, to be given to `replayDeadLetters` and `discardDeadLetters`."
    )
    letters: int = strawberry.field(description="How many wait.")
    last_seen: datetime = strawberry.field(description="When one of them last arrived.")

    @classmethod
    def of(cls, cause: Cause) -> DeadLetterCause:
        """Return a group of the store as a value of the graph."""
        return cls(event_type=cause.event_type, rule=cause.rule, letters=cause.letters, last_seen=cause.last_seen)


@strawberry.type
class DeadLetterEdge:
    """One letter of a page."""

    node: DeadLetter
    cursor: str


@strawberry.type
class DeadLetterConnection:
    """One page of dead letters, oldest first."""

    edges: list[DeadLetterEdge]
    page_info: PageInfo
    wanted: strawberry.Private[DeadLetterFilter]

    @strawberry.field
    async def total_count(self, info: GraphInfo) -> int | None:
        """How many letters there are that the arguments let through."""
        try:
            return await info.context.desk.letters.count(self.wanted)
        except StoreUnavailable as error:
            raise refusal("STORE_UNAVAILABLE") from error


async def resolve_dead_letters(
    info: GraphInfo,
    state: Annotated[
        DeadLetterState | None, strawberry.argument(description="Those in this state; null: in any.")
    ] = DeadLetterState.WAITING,
    event_type: Annotated[
        str | None,
        strawberry.argument(description="Only events of this type, such as `concord.renewal.due.v1`; without it, all."),
    ] = None,
    rule: Annotated[
        str | None, strawberry.argument(description="Only those that broke this rule, exactly as `rule` has it.")
    ] = None,
    first: int | None = None,
    after: str | None = None,
) -> DeadLetterConnection:
    """Return a page of dead letters. Raises BAD_USER_INPUT, STORE_UNAVAILABLE."""
    first = _DEFAULT_PAGE_SIZE if first is None else first
    if not 0 <= first <= _MAX_PAGE_SIZE:
        raise refusal("BAD_USER_INPUT", f"A page has between 0 and {_MAX_PAGE_SIZE} items.")
    wanted = DeadLetterFilter(state=state, event_type=event_type, rule=rule)
    start = 0 if after is None else _parse_cursor(after)
    try:
        letters = await info.context.desk.letters.read(start, first + 1, wanted)
    except StoreUnavailable as error:
        raise refusal("STORE_UNAVAILABLE") from error
    edges = [
        DeadLetterEdge(node=DeadLetter.of(letter), cursor=_print_cursor(letter.number)) for letter in letters[:first]
    ]
    return DeadLetterConnection(
        edges=edges,
        page_info=PageInfo(
            has_next_page=len(letters) > first,
            has_previous_page=after is not None,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        ),
        wanted=wanted,
    )


async def resolve_dead_letter_causes(info: GraphInfo) -> list[DeadLetterCause]:
    """Return the waiting letters by cause, the most frequent first. Raises STORE_UNAVAILABLE."""
    try:
        return [DeadLetterCause.of(cause) for cause in await info.context.desk.letters.causes()]
    except StoreUnavailable as error:
        raise refusal("STORE_UNAVAILABLE") from error


def _print_cursor(number: int) -> str:
    return base64.urlsafe_b64encode(f"letter.{number}".encode()).decode().rstrip("=")


def _parse_cursor(cursor: str) -> int:
    try:
        padded = cursor[:100] + "=" * (-len(cursor[:100]) % 4)
        word, _, digits = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii").partition(".")
    except (binascii.Error, ValueError):
        word, digits = "", ""
    if word != "letter" or not (digits.isdigit() and len(digits) <= 18):
        raise refusal("BAD_USER_INPUT", "This is not a cursor of this list.")
    return int(digits)
