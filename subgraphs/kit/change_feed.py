"""Polls a vendor that does not push: a loop with a high-water mark that survives restarts.

feed = ChangeFeed(database, "invoices", poll, apply, interval_s=5)
async with background(feed.run_forever): …
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from subgraphs.kit.database import Database
from subgraphs.kit.system_error import FieldError

_log = logging.getLogger(__name__)
ChangeT = TypeVar("ChangeT")
_MAX_BACKOFF_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes(Generic[ChangeT]):
    """What one poll found."""

    items: Sequence[ChangeT]
    mark: str | None
    """The high-water mark after these, as the next poll gets it; None keeps the old one."""
    has_more: bool = False
    """Poll again at once."""


class ChangeFeed(Generic[ChangeT]):
    """One vendor list that is polled for changes."""

    SCHEMA = "create table if not exists high_water_mark (feed text primary key, mark text not null, at real not null);"

    def __init__(
        self,
        database: Database,
        name: str,
        poll: Callable[[str | None], Awaitable[Changes[ChangeT]]],
        apply: Callable[[Sequence[ChangeT]], Awaitable[None]],
        *,
        interval_s: float,
    ) -> None:
        """`poll(mark)` returns what changed since; `apply` must be repeatable: after a crash it sees the same changes again."""
        self._database = database
        self._name = name
        self._poll = poll
        self._apply = apply
        self._interval_s = interval_s
        self._nudged = asyncio.Event()

    async def mark(self) -> str | None:
        """The stored high-water mark; None before the first poll."""
        row = await self._database.run(
            lambda c: c.execute("select mark from high_water_mark where feed = ?", (self._name,)).fetchone()
        )
        return None if row is None else str(row[0])

    def nudge(self) -> None:
        """Poll now, as after a write of our own."""
        self._nudged.set()

    async def poll_once(self) -> bool:
        """Poll and apply once; returns whether more is waiting. Raises FieldError."""
        changes = await self._poll(await self.mark())
        if changes.items:
            await self._apply(changes.items)
        mark = changes.mark
        if mark is not None:
            # Only after `apply`: a crash between the two repeats changes and loses none.
            await self._database.run(
                lambda c: c.execute(
                    "insert into high_water_mark values (?, ?, ?) "
                    "on conflict (feed) do update set mark = excluded.mark, at = excluded.at",
                    (self._name, mark, time.time()),
                )
            )
        return changes.has_more

    async def run_forever(self) -> None:
        """Poll every interval; failures back off up to a minute."""
        pause_s = self._interval_s
        while True:
            self._nudged.clear()
            try:
                has_more = await self.poll_once()
                pause_s = 0.0 if has_more else self._interval_s
            except FieldError as error:
                _log.info("Polling %s failed: %s", self._name, error.code)
                pause_s = min(max(pause_s, self._interval_s) * 2, _MAX_BACKOFF_S)
            try:
                async with asyncio.timeout(pause_s):
                    await self._nudged.wait()
            except TimeoutError:
                continue
