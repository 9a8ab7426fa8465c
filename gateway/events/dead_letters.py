"""Events that broke their contract, kept with the reason until somebody replays or discards them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gateway.events.contracts import BrokenContract


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedEvent:
    """What arrived, as far as it could be read, and what is wrong with it."""

    event_id: str | None
    event_type: str | None
    source: str | None
    broken: BrokenContract
    body: bytes
    """The batch's element as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A rejected event in the store."""

    number: int
    rejected: RejectedEvent
    times: int
    """How often the same element was sent."""
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterCause:
    """Dead letters with the same type and broken rule."""

    event_type: str | None
    rule: str
    letters: int
    last_seen: datetime


class DeadLetters(Protocol):
    """The store of dead letters."""

    async def add(self, rejected: Sequence[RejectedEvent]) -> tuple[int, ...]:
        """Keep the events durably and return their numbers; the same element again gets its first number."""
        ...

    async def read(self, after: int, limit: int) -> tuple[DeadLetter, ...]:
        """Return letters with numbers above `after`, oldest first."""
        ...

    async def causes(self) -> tuple[DeadLetterCause, ...]:
        """Return the letters grouped by type and rule, the most frequent first."""
        ...

    async def discard(self, number: int) -> bool:
        """Forget a letter; False if there is none with this number."""
        ...
