"""Loads records by id for one request: batched to the vendor's size, each id read once, absent is None.

async def context(): return Loaders(company=record_loader(companies))
…
company = await info.context.company.load("123")     # Company | None, or raises VendorError
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from aiodataloader import DataLoader

from subgraphs.kit.adaptor import Adaptor
from subgraphs.kit.system_error import FieldError

RecordT = TypeVar("RecordT")
AbsentT = TypeVar("AbsentT")

Read = Callable[[Sequence[str]], Awaitable[Mapping[str, RecordT | FieldError]]]
"""ids → records by id; an absent id is left out; a FieldError in place of a record fails that id alone."""


class RecordLoader(DataLoader[str, RecordT | AbsentT]):
    """A DataLoader over a `read(ids) -> Mapping[id, Record]`. Make it on the event loop, one per request."""

    def __init__(self, read: Read[RecordT], *, max_ids_per_call: int, absent: AbsentT, concurrency: int = 4) -> None:
        super().__init__(self._load)
        self._read = read
        self._max_ids_per_call = max_ids_per_call
        self._absent = absent
        self._slots = asyncio.Semaphore(concurrency)

    async def _load(self, ids: list[str]) -> list[RecordT | AbsentT]:
        size = self._max_ids_per_call
        chunks = [ids[start : start + size] for start in range(0, len(ids), size)]
        found: dict[str, RecordT | FieldError] = {}
        for part in await asyncio.gather(*map(self._read_chunk, chunks)):
            found.update(part)
        # aiodataloader rejects exactly the keys whose value is an exception.
        return [found.get(key, self._absent) for key in ids]  # type: ignore[misc]  # exceptions are values here

    async def _read_chunk(self, ids: Sequence[str]) -> Mapping[str, RecordT | FieldError]:
        async with self._slots:
            try:
                return await self._read(ids)
            except FieldError as error:
                return dict.fromkeys(ids, error)


def readable(found: Mapping[str, RecordT]) -> dict[str, RecordT]:
    """Return the records of an answer that may hold a FieldError in place of one."""
    return {key: record for key, record in found.items() if not isinstance(record, FieldError)}


def whole(found: Mapping[str, RecordT]) -> Mapping[str, RecordT]:
    """Return an answer of which nothing may be missing. Raises the FieldError that stands in place of a record."""
    for record in found.values():
        if isinstance(record, FieldError):
            raise record
    return found


def record_loader(adaptor: Adaptor[RecordT]) -> RecordLoader[RecordT, None]:
    """Return a loader of one adaptor's records that answers None for an absent id."""
    return RecordLoader(adaptor.read, max_ids_per_call=adaptor.capabilities.max_ids_per_call, absent=None)


def relation_loader(
    read: Callable[[Sequence[str]], Awaitable[Mapping[str, Sequence[RecordT]]]], *, max_ids_per_call: int
) -> RecordLoader[Sequence[RecordT], tuple[()]]:
    """Return a loader of each id's related records; an id without any has the empty tuple."""
    return RecordLoader(read, max_ids_per_call=max_ids_per_call, absent=())
