"""Reading what is new of the ERP: from which instant on, in parts, and past records that can't be read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from subgraphs.kit.record_loader import readable
from subgraphs.kit.record_reader import UnreadableRecordError
from subgraphs.kit.system_error import FieldError

OVERLAP = dt.timedelta(seconds=10)
"""A transaction becomes visible after the instant its rows carry, so every poll looks back this far."""
BEGINNING = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
_BATCH = 500
RecordT = TypeVar("RecordT")
Read = Callable[[Sequence[str]], Awaitable[Mapping[str, RecordT]]]


async def passing(read: Read[RecordT], ids: Iterable[str]) -> Mapping[str, RecordT]:
    """Return what can be read: a record that can't be is told of when it can, and stops nobody else's news."""
    return (await apart(read, ids))[0]


async def apart(read: Read[RecordT], ids: Iterable[str]) -> tuple[Mapping[str, RecordT], frozenset[str]]:
    """Return what can be read, and the ids of what is there but can't be."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}, frozenset()
    try:
        found = await read(wanted)
    except UnreadableRecordError:
        if len(wanted) == 1:
            return {}, frozenset(wanted)
        # One of several ERPs was asked for this one record only.
        each = [await apart(read, [key]) for key in wanted]
        return {k: r for known, _ in each for k, r in known.items()}, frozenset().union(*(odd for _, odd in each))
    return readable(found), frozenset(key for key, record in found.items() if isinstance(record, FieldError))


def since(mark: str | None) -> dt.datetime | None:
    """Return the instant from which on to look; None for all there is."""
    return None if mark is None else dt.datetime.fromisoformat(mark) - OVERLAP


def next_mark(mark: str | None, instants: Sequence[dt.datetime]) -> str | None:
    """Return the latest instant seen. An ERP without any record has the beginning of time, so that its first ones are news."""
    latest = [*instants, *([dt.datetime.fromisoformat(mark)] if mark else [BEGINNING])]
    return max(latest).isoformat()


def parts(items: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """Return the items in parts that are read and stored at once."""
    return (items[start : start + _BATCH] for start in range(0, len(items), _BATCH))
