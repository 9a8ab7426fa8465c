"""Entities kept in this process: bounded in bytes, each until its time is over or a tag it depends on is dropped."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable

from cachetools import LRUCache
from msgspec import Struct

_OVERHEAD_BYTES = 300
"""What an entry takes beside its value, roughly."""
_MOST_OF_THE_CACHE = 8
"""An entry may fill this part of the cache at most: one over 8 is not worth all that it would drive out."""


class Entry(Struct, frozen=True, kw_only=True, gc=False, eq=False):
    """What a subgraph said of an entity. Times but `read_at` are nanoseconds of the monotonic clock. It is made in C."""

    value: bytes
    """JSON, `null` where there is no such entity."""
    born: int
    """When reading began: what is dropped later than that drops this, although it may have been kept later still."""
    fresh_until: int
    keep_until: int
    """Until when it may stand in, marked as stale, for an owner that is down."""
    read_at: float
    """Unix seconds."""


class LocalEntries:
    """Entries by key, those used least driven out first. Used on one event loop only."""

    def __init__(self, *, max_bytes: int, most_tags: int = 50_000) -> None:
        """`max_bytes` of entries are kept, and the moments at which `most_tags` tags were dropped."""
        self._largest = max_bytes // _MOST_OF_THE_CACHE
        self._entries: LRUCache[bytes, Entry] = LRUCache(max_bytes, getsizeof=_size)
        """What is over its time is driven out in its turn: looking for it each time would cost several times what keeping does."""
        self._most_tags = most_tags
        self._dropped: OrderedDict[str, int] = OrderedDict()
        self._floor = 0
        """Entries born up to this moment are of no use: whether their tags were dropped is not known any more."""
        self.changes = 0
        """How often anything was dropped, or took the place of something older."""

    @property
    def bytes_kept(self) -> int:
        """Roughly what the entries take."""
        return int(self._entries.currsize)

    def newest(self, tags: Iterable[str]) -> int:
        """Return the last moment at which one of these tags was dropped; an entry has to be born later."""
        dropped = self._dropped
        return max((dropped.get(tag, 0) for tag in tags), default=0) if dropped else 0

    def find(self, key: bytes, newest: int) -> Entry | None:
        """Return the entry, fresh or stale or over, if it was born after `newest`."""
        entry: Entry | None = self._entries.get(key)
        return None if entry is None or entry.born <= newest or entry.born <= self._floor else entry

    def is_kept(self, key: bytes, entry: Entry) -> bool:
        """Tell whether this very entry is still kept."""
        return self._entries.get(key) is entry

    def is_newer(self, born: int, tags: Iterable[str]) -> bool:
        """Tell whether what was born then is still of use, if it depends on these tags."""
        return born > self._floor and born > self.newest(tags)

    def keep(self, key: bytes, entry: Entry) -> None:
        """Keep an entry in place of an older one."""
        self.changes += key in self._entries
        if _size(entry) > self._largest:
            self._entries.pop(key, None)
            return
        self._entries[key] = entry

    def drop(self, tags: Iterable[str]) -> None:
        """Make all entries useless that depend on one of these tags and were born before."""
        now = time.monotonic_ns()
        self.changes += 1
        for tag in tags:
            self._dropped[tag] = now
            self._dropped.move_to_end(tag)
        while len(self._dropped) > self._most_tags:
            _, moment = self._dropped.popitem(last=False)
            self._floor = max(self._floor, moment)

    def clear(self) -> None:
        """Forget everything."""
        self._floor = time.monotonic_ns()
        self.changes += 1
        self._dropped.clear()
        self._entries.clear()


def _size(entry: Entry) -> int:
    return len(entry.value) + _OVERHEAD_BYTES
