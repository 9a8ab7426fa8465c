"""Answers to whole fetches that were put together of kept entities: the same fetch again is answered by one look-up.

Such an answer is good exactly as long as every entity in it is, and for whom they are.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from cachetools import LRUCache

from gateway.cache.local_entries import Entry, LocalEntries

_OVERHEAD_BYTES = 600
"""What an answer takes beside its text and its key, roughly."""
_TAG_BYTES = 80


@dataclass(slots=True, kw_only=True)
class WholeAnswer:
    """An answer, and what it rests on. Times but `read_at` are nanoseconds of the monotonic clock."""

    body: bytes
    entries: tuple[tuple[bytes, Entry], ...]
    """The entities, with the keys by which they are kept."""
    born: int
    """When reading the oldest of its entities began."""
    fresh_until: int
    """When the time of the first of them is over."""
    read_at: float
    """Unix seconds, of the oldest."""
    tags: tuple[str, ...]
    """On which its entities depend, but for what is the reader's own."""
    changes: int
    """How often anything kept had changed when this was last found to be good."""


class WholeAnswers:
    """Answers by the fetch and by whoever may get them, those used least driven out first."""

    def __init__(self, local: LocalEntries, *, max_bytes: int) -> None:
        """`local` keeps the entities that the answers are made of."""
        self._local = local
        self._answers: LRUCache[Hashable, WholeAnswer] = LRUCache(max_bytes, getsizeof=_size)

    @property
    def bytes_kept(self) -> int:
        """Roughly what the answers take."""
        return int(self._answers.currsize)

    def find(self, key: Hashable, own: Iterable[str]) -> WholeAnswer | None:
        """Return the answer, if it is still good for a reader with these tags of his own."""
        answer = self._answers.get(key)
        if answer is None:
            return None
        if time.monotonic_ns() >= answer.fresh_until or not self._holds(answer):
            del self._answers[key]
            return None
        # What a reader wrote counts for him alone.
        return answer if answer.born > self._local.newest(own) else None

    def _holds(self, answer: WholeAnswer) -> bool:
        # Mostly nothing changed since the last time, and then no entity need be looked at.
        local = self._local
        if answer.changes != local.changes:
            if not (
                local.is_newer(answer.born, answer.tags)
                and all(local.is_kept(key, entry) for key, entry in answer.entries)
            ):
                return False
            answer.changes = local.changes
        return True

    def keep(self, key: Hashable, body: bytes, kept: Sequence[tuple[bytes, Entry]], tags: Iterable[str]) -> None:
        """Keep an answer that was just made of entries that are all fresh, given with their keys.

        `tags` are all that they depend on, but for what is the reader's own.
        """
        entries = [entry for _, entry in kept]
        answer = WholeAnswer(
            body=body,
            entries=tuple(kept),
            born=min(entry.born for entry in entries),
            fresh_until=min(entry.fresh_until for entry in entries),
            read_at=min(entry.read_at for entry in entries),
            tags=tuple(dict.fromkeys(tags)),
            changes=self._local.changes,
        )
        if _size(answer) * 8 <= self._answers.maxsize:
            self._answers[key] = answer

    def clear(self) -> None:
        """Forget everything."""
        self._answers.clear()


def _size(answer: WholeAnswer) -> int:
    return 2 * len(answer.body) + _TAG_BYTES * len(answer.tags) + _OVERHEAD_BYTES
