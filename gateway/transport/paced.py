"""Put heartbeats, the end of the process and the end of the caller's credentials into a stream of answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from enum import Enum
from typing import TypeVar

from gateway.execution.message import GraphQLResponse
from gateway.transport.drain import Drain

Item = TypeVar("Item")


class Signal(Enum):
    """What can come between two answers."""

    HEARTBEAT = "heartbeat"
    DRAINING = "draining"
    EXPIRED = "expired"


async def paced(
    answers: AsyncIterator[Item], *, heartbeat_s: float, drain: Drain, expires_at: float | None
) -> AsyncGenerator[Item | Signal, None]:
    """Yield the answers as they come, HEARTBEAT after each silence of `heartbeat_s`, and DRAINING or EXPIRED as the last.

    The next answer is asked for only when this one has been taken, so a slow reader holds back its source.
    Closing this closes `answers`.
    """
    draining = asyncio.create_task(drain.begun())
    waiting: asyncio.Task[Item | None] | None = None
    try:
        while True:
            waiting = waiting or asyncio.create_task(_next(answers))
            left_s = float("inf") if expires_at is None else expires_at - time.time()
            await asyncio.wait(
                {waiting, draining}, timeout=max(0.0, min(heartbeat_s, left_s)), return_when=asyncio.FIRST_COMPLETED
            )
            if waiting.done():
                answer, waiting = waiting.result(), None
                if answer is None:
                    return
                yield answer
            elif draining.done():
                yield Signal.DRAINING
                return
            elif left_s <= heartbeat_s:
                yield Signal.EXPIRED
                return
            else:
                yield Signal.HEARTBEAT
    finally:
        draining.cancel()
        if waiting is not None:
            waiting.cancel()
            await asyncio.wait({waiting})
        await close(answers)


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
