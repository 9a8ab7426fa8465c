"""Put heartbeats, the end of the process and the end of the caller's credentials into a stream of answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from enum import Enum
from typing import Any, TypeVar

from gateway.access.caller import Caller
from gateway.access.lease import can_end, credentials_end
from gateway.errors import GatewayError
from gateway.execution.message import GraphQLResponse, refusal
from gateway.transport.drain import Drain

Item = TypeVar("Item")


class Signal(Enum):
    """What can come between two answers."""

    HEARTBEAT = "heartbeat"
    DRAINING = "draining"
    EXPIRED = "expired"


async def paced(
    answers: AsyncIterator[Item], *, heartbeat_s: float, drain: Drain, caller: Caller
) -> AsyncGenerator[Item | Signal, None]:
    """Yield the answers as they come, HEARTBEAT after each silence of `heartbeat_s`, and DRAINING or EXPIRED as the last.

    EXPIRED says that the caller's credentials have expired or were revoked; it doesn't wait for a silence.

    The next answer is asked for only when this one has been taken, so a slow reader holds back its source.
    Closing this closes `answers`.
    """
    draining = asyncio.create_task(drain.begun())
    expiring = asyncio.create_task(credentials_end(caller)) if can_end(caller) else None
    ends: set[asyncio.Task[Any]] = {draining} if expiring is None else {draining, expiring}
    waiting: asyncio.Task[Item | None] | None = None
    try:
        while True:
            waiting = waiting or asyncio.create_task(_next(answers))
            await asyncio.wait({waiting, *ends}, timeout=heartbeat_s, return_when=asyncio.FIRST_COMPLETED)
            if expiring is not None and expiring.done():
                yield Signal.EXPIRED
                return
            if waiting.done():
                answer, waiting = waiting.result(), None
                if answer is None:
                    return
                yield answer
            elif draining.done():
                yield Signal.DRAINING
                return
            else:
                yield Signal.HEARTBEAT
    finally:
        for each in ends:
            each.cancel()
        if waiting is not None:
            waiting.cancel()
            await asyncio.wait({waiting})
        await close(answers)


async def held_by(
    caller: Caller, answers: AsyncIterator[GraphQLResponse], correlation_id: str
) -> AsyncIterator[GraphQLResponse]:
    """Yield answers while the caller's credentials hold, and TOKEN_EXPIRED as the last one when they end."""
    if not can_end(caller):
        async for answer in answers:
            yield answer
        return
    ending = asyncio.create_task(credentials_end(caller))
    waiting: asyncio.Task[GraphQLResponse | None] | None = None
    try:
        while True:
            waiting = waiting or asyncio.create_task(_next(answers))
            await asyncio.wait({waiting, ending}, return_when=asyncio.FIRST_COMPLETED)
            if ending.done():
                yield refusal(GatewayError("TOKEN_EXPIRED"), correlation_id)
                return
            given, waiting = waiting.result(), None
            if given is None:
                return
            yield given
    finally:
        ending.cancel()
        if waiting is not None:
            waiting.cancel()
            await asyncio.wait({waiting})


async def one(answer: GraphQLResponse) -> AsyncIterator[GraphQLResponse]:
    """Yield a single answer, for a transport that streams whatever it is given."""
    yield answer


async def close(answers: AsyncIterator[object]) -> None:
    """Close a stream of answers, whether or not it is a generator."""
    aclose = getattr(answers, "aclose", None)
    if aclose is not None:
        await aclose()


async def _next(answers: AsyncIterator[Item]) -> Item | None:
    return await anext(answers, None)
