"""The port of the event log: durable, de-duplicated by id, ordered per subject, readable from a position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from gateway.events.event import Event, RecordedEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events a reader wants. Everything by default; all stated conditions must hold."""

    types: frozenset[str] | None = None
    """Exact event types."""
    systems: frozenset[str] | None = None
    """Names of the systems that published them: `billing`, whatever its instance."""
    keys: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Name of a key to the values wanted: `{"contract": {"CON-2025-0001"}}`."""

    def matches(self, event: Event) -> bool:
        """Say whether the reader wants this event."""
        if self.types is not None and event.type not in self.types:
            return False
        if self.systems is not None and event.source.split("/")[1] not in self.systems:
            return False
        return all(event.keys.get(name) in values for name, values in self.keys.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """What became of a batch."""

    accepted: int
    duplicates: int
    """Events whose id the log already had; they are acknowledged and left alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """Some events, oldest first, and where to go on."""

    events: tuple[RecordedEvent, ...]
    position: int
    """Read after this for the next page: every earlier event was looked at."""
    complete: bool
    """True if the page reached the end of the log, as it was when it was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogBounds:
    """What a log holds at a moment."""

    log_id: str
    """Drawn when the log was made; cursors of another log are told apart by it."""
    trimmed: int
    """Events up to this position are no longer kept."""
    head: int
    """Position of the newest event; 0 in a new log."""
    ahead: int = 0
    """How far a cursor may lie past `head`: other processes of a shared log may have heard of more."""


class PositionExpired(Exception):  # noqa: N818 - reads as what it is
    """Events after the position asked for are no longer kept."""


class StoreUnavailable(Exception):  # noqa: N818 - reads as what it is
    """The store refused the write or the read (full, read-only, gone); nothing was half done."""


class EventLog(Protocol):
    """Everything consumers and publishers need of a log. Safe for many tasks of one event loop."""

    async def append(self, events: Sequence[Event]) -> Appended:
        """Keep the events durably, in this order. Returns once they survive a crash; raises `StoreUnavailable`."""
        ...

    async def read(self, after: int, wanted: EventFilter, limit: int) -> EventPage:
        """Return at most `limit` wanted events after a position. Raises `PositionExpired`."""
        ...

    async def read_back(self, before: int | None, wanted: EventFilter, limit: int) -> tuple[RecordedEvent, ...]:
        """Return the newest wanted events before a position, or of all, newest first."""
        ...

    async def wait(self, after: int, wanted: EventFilter) -> int:
        """Return once a wanted event may exist after a position, with a position from which to read it.

        No wanted event lies between `after` and the position returned.
        """
        ...

    async def count(self, wanted: EventFilter) -> int:
        """Return how many wanted events are kept."""
        ...

    async def trim(self, recorded_before: datetime) -> int:
        """Forget events recorded before an instant; their ids and sequences are remembered. Returns how many."""
        ...

    def bounds(self) -> LogBounds:
        """Return what the log holds, without I/O."""
        ...
