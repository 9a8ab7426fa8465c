"""Named consumers: readers whose place in the log outlives them, one process at a time reading for each.

    async with consumers.serving("analytics") as consumer:
        while True:
            for recorded in await consumer.take(100):
                …
                await consumer.acknowledge(recorded.position)

What was taken and not acknowledged is taken again, by whichever process serves the consumer next.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from gateway.events.event import RecordedEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerState:
    """How far a consumer is."""

    name: str
    position: int
    """All events up to here were taken."""
    unacknowledged: int
    """Events taken and not yet dealt with."""
    waiting: int
    """Events of the log, wanted or not, that it has not dealt with: its lag."""
    missed: int
    """Events that were no longer kept when it came to them."""


class ServedElsewhere(Exception):  # noqa: N818 - reads as what it is
    """Another process serves this consumer by now: leave what was taken to it."""


class Consumer(Protocol):
    """A named reader, served by this process."""

    async def take(self, limit: int) -> tuple[RecordedEvent, ...]:
        """Wait for events and return some, oldest first. Raises `ServedElsewhere`, `StoreUnavailable`."""
        ...

    async def acknowledge(self, *positions: int) -> None:
        """Note that the events at these positions are dealt with, at the cost of one. Raises `ServedElsewhere`, `StoreUnavailable`."""
        ...


class Consumers(Protocol):
    """All named consumers of one log."""

    def serving(self, name: str) -> AbstractAsyncContextManager[Consumer]:
        """Wait until no other process serves the consumer, then serve it; a new one begins with what comes from now on."""
        ...

    async def states(self) -> Sequence[ConsumerState]:
        """Return how far each consumer is, by name. Raises `StoreUnavailable`."""
        ...
