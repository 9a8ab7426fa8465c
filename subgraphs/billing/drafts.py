"""Lifecycle events on their way to an address: kept until the crosswalk says whose records they are about.

A write must not fail, or be told as failed, because the crosswalk is down; so its events wait here, durably and in order.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import sqlite3
from collections.abc import Iterable, Sequence

import orjson

from subgraphs.billing.lifecycle import EventDraft
from subgraphs.kit.canonical_event import FieldChange
from subgraphs.kit.crosswalk import Crosswalk
from subgraphs.kit.database import Database
from subgraphs.kit.outbox import Outbox
from subgraphs.kit.system_error import FieldError

_log = logging.getLogger(__name__)
_BATCH = 200
_IDLE_S = 1.0
"""Another replica may have added something, and wakes nobody here."""
_MAX_BACKOFF_S = 30.0

SCHEMA = "create table if not exists event_draft (position integer primary key autoincrement, draft blob not null);"


class DraftQueue:
    """Drafts in order, and the loop that addresses them."""

    def __init__(self, database: Database, outbox: Outbox, crosswalk: Crosswalk) -> None:
        self._database = database
        self._outbox = outbox
        self._crosswalk = crosswalk
        self._added = asyncio.Event()
        self._known = asyncio.Event()

    async def add(self, drafts: Sequence[EventDraft]) -> None:
        """Store drafts; durable when it returns."""
        if drafts:
            await self._database.run(lambda connection: self.insert(connection, drafts))
            self.wake()

    @staticmethod
    def insert(connection: sqlite3.Connection, drafts: Iterable[EventDraft]) -> None:
        """Store drafts within the caller's transaction; then call `wake`."""
        connection.executemany(
            "insert into event_draft (draft) values (?)", [(orjson.dumps(draft),) for draft in drafts]
        )

    def wake(self) -> None:
        """Look at the queue now."""
        self._added.set()

    def customers_are_known(self) -> None:
        """Say that the crosswalk has all customers, so that one it does not know is nobody's."""
        self._known.set()

    async def address_forever(self) -> None:
        """Move drafts to the outbox, oldest first; while the crosswalk is down they wait."""
        await self._known.wait()
        backoff_s = 0.2
        while True:
            self._added.clear()
            rows = await self._database.run(
                lambda c: c.execute(
                    "select position, draft from event_draft order by position limit ?", (_BATCH,)
                ).fetchall()
            )
            if not rows:
                try:
                    async with asyncio.timeout(_IDLE_S):
                        await self._added.wait()
                except TimeoutError:
                    pass
                continue
            try:
                await self._address([(int(position), _parse(draft)) for position, draft in rows])
                backoff_s = 0.2
            except FieldError as error:
                _log.info("%d events wait for the crosswalk: %s", len(rows), error.code)
                await asyncio.sleep(backoff_s)
                backoff_s = min(backoff_s * 2, _MAX_BACKOFF_S)

    async def _address(self, drafts: Sequence[tuple[int, EventDraft]]) -> None:
        owners = await self._crosswalk.resolve(sorted({draft.customer for _, draft in drafts}))
        events = [draft.addressed(owners.get(draft.customer)) for _, draft in drafts]

        def move(connection: sqlite3.Connection) -> None:
            self._outbox.insert(connection, events)
            connection.executemany(
                "delete from event_draft where position = ?", [(position,) for position, _ in drafts]
            )

        await self._database.run(move)
        self._outbox.wake()


def _parse(raw: bytes) -> EventDraft:
    values = orjson.loads(raw)
    return EventDraft(
        **{
            **values,
            "identity": tuple(values["identity"]),
            "time": dt.datetime.fromisoformat(values["time"]),
            "changes": tuple(FieldChange(**change) for change in values["changes"]),
        }
    )
