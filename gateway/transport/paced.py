"""Put heartbeats and what ends a stream into it, between its answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from enum import Enum
from typing import Any, TypeVar

from gateway.access.caller import Caller
from gateway.execution.message import GraphQLResponse
from gateway.transport.drain import Drain
from gateway.transport.ending import End, Ends

Item = TypeVar("Item")


class Silence(Enum):
    """What fills a silence."""

    HEARTBEAT = "heartbeat"


async def paced(
    answers: AsyncIterator[Item], *, heartbeat_s: float, drain: Drain, caller: Caller
) -> AsyncGenerator[Item | Silence | End, None]:
    """Yield the answers as they come, HEARTBEAT after each silence of `heartbeat_s`, and an end as the last.

    Whatever is done with an answer is not interrupted, as a block of `Ending` would be; an end doesn't wait for a silence.

    The next answer is asked for only when this one has been taken, so a slow reader holds back its source.
    Closing this closes `answers`.
    """
    ended: asyncio.Future[End] = asyncio.get_running_loop().create_future()
    waiting: asyncio.Task[Item | None] | None = None

    def end(why: End) -> None:
        if not ended.done():
            ended.set_result(why)

    with Ends(end, caller, drain=drain):
        try:
            while True:
                waiting = waiting or asyncio.create_task(_next(answers))
                either: set[asyncio.Future[Any]] = {waiting, ended}
                await asyncio.wait(either, timeout=heartbeat_s, return_when=asyncio.FIRST_COMPLETED)
                if ended.done() and (ended.result() is End.EXPIRED or not waiting.done()):
                    yield ended.result()
                    return
                if waiting.done():
                    answer, waiting = waiting.result(), None
                    if answer is None:
                        return
                    yield answer
                else:
                    yield Silence.HEARTBEAT
        finally:
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
