"""Mutations on dead letters: replay and discard, one by one or by cause."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import strawberry

from gateway.errors import GatewayError
from gateway.events.dead_letter_desk import dead_letter_id
from gateway.events.dead_letters import DeadLetterFilter
from gateway.events.log import StoreUnavailable
from gateway.graph.context import GraphInfo
from gateway.graph.dead_letter import DeadLetter
from gateway.graph.dead_letter_connection import may_see_letter, see_all_letters
from gateway.graph.refusal import refusal, to_graphql_error

_LONGEST_SWEEP_S = 20.0
_MOST_PER_SECOND = 1_000.0
_REFUSALS_SHOWN = 100


@strawberry.input(
    description="A waiting dead letter to send on; refused with EVENT_CONTRACT_BROKEN as long as it breaks its contract."
)
class ReplayDeadLetterInput:
    """Input of `replayDeadLetter`."""

    id: strawberry.ID = strawberry.field(
        description="Global id of the dead letter, as `DeadLetter.id` has it; an unknown one is refused with NOT_FOUND, a settled one with CONFLICT."
    )
    client_mutation_id: str | None = None


@strawberry.input(description="A waiting dead letter to put away for good.")
class DiscardDeadLetterInput:
    """Input of `discardDeadLetter`."""

    id: strawberry.ID = strawberry.field(
        description="Global id of the dead letter, as `DeadLetter.id` has it; an unknown one is refused with NOT_FOUND, a settled one with CONFLICT."
    )
    reason: str = strawberry.field(description="Why; 1 to 500 characters, kept with the letter.")
    client_mutation_id: str | None = None


@strawberry.input(description="Waiting dead letters by their cause; without one, all that wait.")
class ReplayDeadLettersInput:
    """Input of `replayDeadLetters`."""

    event_type: str | None = strawberry.field(
        default=None, description="Only events of this type, such as `concord.renewal.due.v1`; left out, of every type."
    )
    rule: str | None = strawberry.field(
        default=None, description="Only those that broke this rule, exactly as in `deadLetterCauses`; left out, any."
    )
    per_second: float = strawberry.field(
        default=50.0, description="The most to replay in a second; above 0 and at most 1,000."
    )
    client_mutation_id: str | None = None


@strawberry.input(description="Waiting dead letters by their cause; without one, all that wait.")
class DiscardDeadLettersInput:
    """Input of `discardDeadLetters`."""

    event_type: str | None = strawberry.field(
        default=None, description="Only events of this type, such as `concord.renewal.due.v1`; left out, of every type."
    )
    rule: str | None = strawberry.field(
        default=None, description="Only those that broke this rule, exactly as in `deadLetterCauses`; left out, any."
    )
    reason: str = strawberry.field(description="Why; 1 to 500 characters, kept with the letter.")
    client_mutation_id: str | None = None


@strawberry.type(description="What `replayDeadLetter` or `discardDeadLetter` did.")
class DeadLetterPayload:
    """Answer of `replayDeadLetter` and `discardDeadLetter`."""

    dead_letter: DeadLetter = strawberry.field(description="The letter, settled.")
    client_mutation_id: str | None


@strawberry.type(description="A dead letter that still breaks its contract and goes on waiting.")
class RefusedReplay:
    """One entry of `refused`."""

    id: strawberry.ID = strawberry.field(description="Global id of the dead letter.")
    message: str = strawberry.field(description="What is wrong with it, in a sentence.")


@strawberry.type(description="What `replayDeadLetters` did.")
class ReplayDeadLettersPayload:
    """Answer of `replayDeadLetters`."""

    replayed: int = strawberry.field(description="How many were sent on to all consumers.")
    refused_count: int = strawberry.field(description="How many were tried and still break their contract.")
    refused: list[RefusedReplay] = strawberry.field(description=f"The first {_REFUSALS_SHOWN} of them.")
    remaining: int = strawberry.field(description="How many wait for another call, since this one took long enough.")
    client_mutation_id: str | None


@strawberry.type(description="What `discardDeadLetters` did.")
class DiscardDeadLettersPayload:
    """Answer of `discardDeadLetters`."""

    discarded: int = strawberry.field(description="How many were put away.")
    client_mutation_id: str | None


@asynccontextmanager
async def _refusals() -> AsyncIterator[None]:
    try:
        yield
    except GatewayError as error:
        raise to_graphql_error(error) from error
    except StoreUnavailable as error:
        raise refusal("STORE_UNAVAILABLE") from error


async def replay_dead_letter(info: GraphInfo, input: ReplayDeadLetterInput) -> DeadLetterPayload:  # noqa: A002 - Relay's name
    """Send the event on, flagged as a replay. Raises NOT_FOUND, CONFLICT, EVENT_CONTRACT_BROKEN, STORE_UNAVAILABLE."""
    async with _refusals():
        await _see(info, input.id)
        letter = await info.context.desk.replay(input.id)
    return DeadLetterPayload(dead_letter=DeadLetter.of(letter), client_mutation_id=input.client_mutation_id)


async def discard_dead_letter(info: GraphInfo, input: DiscardDeadLetterInput) -> DeadLetterPayload:  # noqa: A002 - Relay's name
    """Put the letter away. Raises NOT_FOUND, CONFLICT, BAD_USER_INPUT, STORE_UNAVAILABLE."""
    async with _refusals():
        await _see(info, input.id)
        letter = await info.context.desk.discard(input.id, input.reason)
    return DeadLetterPayload(dead_letter=DeadLetter.of(letter), client_mutation_id=input.client_mutation_id)


async def replay_dead_letters(info: GraphInfo, input: ReplayDeadLettersInput) -> ReplayDeadLettersPayload:  # noqa: A002 - Relay's name
    """Replay what waits for a cause, throttled. Raises BAD_USER_INPUT, FORBIDDEN, STORE_UNAVAILABLE."""
    see_all_letters(info)
    if not 0 < input.per_second <= _MOST_PER_SECOND:
        raise refusal("BAD_USER_INPUT", f"`perSecond` lies above 0 and is at most {_MOST_PER_SECOND:.0f}.")
    wanted = DeadLetterFilter(event_type=input.event_type, rule=input.rule)
    async with _refusals():
        sweep = await info.context.desk.replay_all(wanted, per_second=input.per_second, within_s=_LONGEST_SWEEP_S)
    return ReplayDeadLettersPayload(
        replayed=sweep.settled,
        refused_count=len(sweep.refused),
        refused=[
            RefusedReplay(id=strawberry.ID(dead_letter_id(each.letter.number)), message=each.broken.message)
            for each in sweep.refused[:_REFUSALS_SHOWN]
        ],
        remaining=sweep.remaining,
        client_mutation_id=input.client_mutation_id,
    )


async def discard_dead_letters(info: GraphInfo, input: DiscardDeadLettersInput) -> DiscardDeadLettersPayload:  # noqa: A002 - Relay's name
    """Discard what waits for a cause. Raises BAD_USER_INPUT, FORBIDDEN, STORE_UNAVAILABLE."""
    see_all_letters(info)
    wanted = DeadLetterFilter(event_type=input.event_type, rule=input.rule)
    async with _refusals():
        sweep = await info.context.desk.discard_all(wanted, input.reason)
    return DiscardDeadLettersPayload(discarded=sweep.settled, client_mutation_id=input.client_mutation_id)


async def _see(info: GraphInfo, global_id: str) -> None:
    """Return if the caller sees the letter. Raises NOT_FOUND where there is none, or it is somebody else's."""
    if info.context.sight is not None and not await may_see_letter(info, await info.context.desk.find(global_id)):
        raise GatewayError("NOT_FOUND", "There is no such dead letter.")
