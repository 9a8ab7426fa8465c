"""Events that broke their contract, kept with the reason until somebody replays or discards them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from gateway.events.contracts import BrokenContract


class DeadLetterState(StrEnum):
    """What became of a dead letter."""

    WAITING = "WAITING"
    REPLAYED = "REPLAYED"
    DISCARDED = "DISCARDED"


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
class Settled:
    """How somebody dealt with a dead letter."""

    state: DeadLetterState
    at: datetime
    reason: str | None
    """What they said, or what the log said to the replay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A rejected event in the store."""

    number: int
    rejected: RejectedEvent
    times: int
    """How often the same element was sent."""
    first_seen: datetime
    last_seen: datetime
    settled: Settled | None = None
    """None while it waits."""

    @property
    def state(self) -> DeadLetterState:
        """What became of it."""
        return DeadLetterState.WAITING if self.settled is None else self.settled.state


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterFilter:
    """Which letters a reader wants. All by default; all stated conditions must hold."""

    state: DeadLetterState | None = None
    event_type: str | None = None
    rule: str | None = None
    """The broken rule, exactly: `data.keys: required`."""

    def matches(self, letter: DeadLetter) -> bool:
        """Say whether the reader wants this letter."""
        return (
            (self.state is None or self.state is letter.state)
            and (self.event_type is None or self.event_type == letter.rejected.event_type)
            and (self.rule is None or self.rule == letter.rejected.broken.rule)
        )


ALL = DeadLetterFilter()
"""Every letter, settled ones included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterCause:
    """Waiting dead letters with the same type and broken rule."""

    event_type: str | None
    rule: str
    letters: int
    last_seen: datetime


class DeadLetters(Protocol):
    """The store of dead letters. All raise `StoreUnavailable`."""

    async def add(self, rejected: Sequence[RejectedEvent]) -> tuple[int, ...]:
        """Keep the events durably and return their numbers; the same element again gets its first number."""
        ...

    async def read(self, after: int, limit: int, wanted: DeadLetterFilter = ALL) -> tuple[DeadLetter, ...]:
        """Return wanted letters with numbers above `after`, oldest first."""
        ...

    async def read_back(self, before: int | None, limit: int, wanted: DeadLetterFilter = ALL) -> tuple[DeadLetter, ...]:
        """Return wanted letters with numbers below `before`, or of all, newest first."""
        ...

    async def get(self, number: int) -> DeadLetter | None:
        """Return one letter; None if there is none with this number."""
        ...

    async def count(self, wanted: DeadLetterFilter = ALL) -> int:
        """Return how many wanted letters are kept."""
        ...

    async def causes(self) -> tuple[DeadLetterCause, ...]:
        """Return the waiting letters grouped by type and rule, the most frequent first."""
        ...

    async def settle(self, number: int, state: DeadLetterState, reason: str | None) -> bool:
        """Note what became of a waiting letter; False, and nothing changed, if none waits under this number."""
        ...

    async def trim(self, settled_before: datetime) -> int:
        """Forget letters that were settled before an instant; waiting ones stay. Returns how many."""
        ...
