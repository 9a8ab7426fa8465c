"""Large answers that requests keep while they are worked on: counted with those that clients have not taken yet.

What was read of one subgraph is kept, decoded, until the others have answered as well, and by hundreds of requests at once
where one system is slow.
"""

from __future__ import annotations

from typing import Protocol

from gateway.execution.ports import RequestContext, SubgraphFailure

RETRY_AFTER_MS = 1_000
"""When to ask again where there was no room."""


class Room(Protocol):
    """Room for large answers, from when they are whole until clients have them."""

    most_bytes: int
    held_bytes: int


class Kept:
    """What a request keeps. It belongs to the request's context, and ends with it."""

    __slots__ = ("_room", "_size")

    def __init__(self, room: Room, size: int) -> None:
        """Count the first one."""
        self._room = room
        self._size = 0
        self.add(size)

    def add(self, size: int) -> None:
        """Count another one."""
        self._size += size
        self._room.held_bytes += size

    def __del__(self) -> None:
        """Count none of them any more."""
        self._room.held_bytes -= self._size


def keep(room: Room | None, context: RequestContext, size: int, *, is_due: bool = False) -> SubgraphFailure | None:
    """Count a large answer, of so many bytes, as kept by a request until it is answered.

    Returns the failure, OVERLOADED, where there is no room for it and for what will be made of it, unless it `is_due`. Raised
    where the answer is at hand it would keep that itself, with the frame. A request that keeps one already gets whatever else
    it needs: refused half-way it would have cost all that for nothing.
    """
    if room is None:
        return None
    kept = context.kept
    if isinstance(kept, Kept):
        kept.add(size)
        return None
    if room.held_bytes and room.held_bytes + 2 * size > room.most_bytes and not is_due:
        return no_room("no room for another large answer")
    context.kept = Kept(room, size)
    return None


def no_room(reason: str) -> SubgraphFailure:
    """Return the failure of a fetch whose answer this process had no room for."""
    return SubgraphFailure("OVERLOADED", reason, is_sent=True, trips_breaker=False, retry_after_ms=RETRY_AFTER_MS)
