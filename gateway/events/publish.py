"""Puts into the log what other rooms keep until it is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from gateway.events.event import Event
from gateway.events.log import EventLog, StoreUnavailable

ToldT = TypeVar("ToldT")


def publish_to(log: EventLog, event_of: Callable[[ToldT], Event]) -> Callable[[Sequence[ToldT]], Awaitable[bool]]:
    """Return what publishes a batch, and says False where the log can't be used at the moment."""

    async def publish(told: Sequence[ToldT]) -> bool:
        try:
            await log.append([event_of(each) for each in told])
        except StoreUnavailable:
            return False
        return True

    return publish
