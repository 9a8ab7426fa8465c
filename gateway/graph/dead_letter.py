"""`DeadLetter` in the graph: events that broke their contract, to list, inspect, and group by cause."""

from __future__ import annotations

from datetime import datetime

import strawberry

from gateway.events.dead_letter_desk import dead_letter_id
from gateway.events.dead_letters import DeadLetter as Letter
from gateway.events.dead_letters import DeadLetterCause as Cause
from gateway.events.dead_letters import DeadLetterState
from gateway.graph.context import GraphInfo
from gateway.graph.descriptions import described_enum
from gateway.graph.guards import SEES_OPERATIONS
from gateway.graph.node import Node

described_enum(
    "What became of a dead letter.",
    WAITING="Nobody has dealt with it; consumers don't know of the event.",
    REPLAYED="It was sent on to all consumers, flagged as a replay.",
    DISCARDED="It was put away for good; consumers will never know of the event.",
)(DeadLetterState)


def _body(self: DeadLetter, info: GraphInfo) -> str:
    return info.context.hidden.json(self.letter.rejected.body.decode())


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
    body: str = strawberry.field(resolver=_body, description="The event as it arrived, as JSON text.")
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

    letter: strawberry.Private[Letter]

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
            times=letter.times,
            first_seen=letter.first_seen,
            last_seen=letter.last_seen,
            state=letter.state,
            settled_at=settled.at if settled else None,
            reason=settled.reason if settled else None,
            letter=letter,
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
