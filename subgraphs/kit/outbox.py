"""Events on their way to the event log: kept in SQLite until the log has taken them, in order per subject, at least once.

What breaks its contract the log keeps as a dead letter, so it is forgotten here like any other.

database = await Database.open(path, (Outbox.SCHEMA,))
outbox = Outbox(database, events_url=…, signing_secret=…)
await outbox.add([event, …])                        # durable when it returns
async with background(outbox.deliver_forever): …
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Sequence

import httpx2
import orjson

from subgraphs.kit import signature
from subgraphs.kit.canonical_event import CanonicalEvent
from subgraphs.kit.database import Database

_log = logging.getLogger(__name__)
_BATCH = 200
_TOO_LARGE = 413
_LONGEST_VALUE = 1000
"""Characters that are kept of a changed field's value where the whole event is too large."""
_MAX_BACKOFF_S = 30.0
_IDLE_S = 1.0
"""Another replica may have added something, and wakes nobody here."""


class Outbox:
    """Durable events of one subgraph and the loop that delivers them."""

    SCHEMA = """
        create table if not exists outbox (
            position integer primary key autoincrement, id text not null unique, event blob not null
        );
    """

    def __init__(self, database: Database, *, events_url: str, signing_secret: str, timeout_s: float = 10.0) -> None:
        """`events_url` names one address of the event log, or several with commas between: any of them will do."""
        self._database = database
        self._addresses = [address.strip() for address in events_url.split(",")]
        self._secret = signing_secret
        self._timeout_s = timeout_s
        self._most = _BATCH
        self._added = asyncio.Event()

    async def add(self, events: Sequence[CanonicalEvent]) -> None:
        """Store the events; one that is still waiting is not stored twice."""
        if events:
            await self._database.run(lambda connection: self.insert(connection, events))
            self.wake()

    @staticmethod
    def insert(connection: sqlite3.Connection, events: Sequence[CanonicalEvent]) -> None:
        """Store the events within the caller's own transaction, beside the change that caused them; then call `wake`."""
        connection.executemany(
            "insert or ignore into outbox (id, event) values (?, ?)",
            [(event.id, orjson.dumps(event.to_cloud_event())) for event in events],
        )

    def wake(self) -> None:
        """Deliver now instead of at the next look."""
        self._added.set()

    async def waiting(self) -> int:
        """How many events the log has not taken yet."""
        row = await self._database.run(lambda c: c.execute("select count(*) from outbox").fetchone())
        return int(row[0])

    async def deliver_forever(self) -> None:
        """Deliver in order, one batch at a time, to the address that took the last one.

        Where it fails, the next address is asked at once. While none takes anything, the outbox backs off up to 30 s.
        """
        backoff_s, failures = 0.2, 0
        async with httpx2.AsyncClient(trust_env=False, timeout=self._timeout_s) as http:
            while True:
                self._added.clear()
                most = self._most
                batch = await self._database.run(lambda connection, most=most: _next_batch(connection, most))  # type: ignore[misc]  # bound now
                if not batch:
                    await _wait(self._added, _IDLE_S)
                elif await self._deliver(http, batch):
                    backoff_s, failures = 0.2, 0
                else:
                    failures += 1
                    self._addresses.append(self._addresses.pop(0))
                    if failures % len(self._addresses):
                        continue
                    # Not woken by new events: the log would be asked in a busy loop while it is down.
                    await asyncio.sleep(backoff_s)
                    backoff_s = min(backoff_s * 2, _MAX_BACKOFF_S)

    async def _deliver(self, http: httpx2.AsyncClient, batch: Sequence[tuple[int, bytes]]) -> bool:
        body = b"[" + b",".join(event for _, event in batch) + b"]"
        headers = {
            "content-type": "application/cloudevents-batch+json",
            signature.HEADER: signature.sign(self._secret, body),
        }
        try:
            reply = await http.post(self._addresses[0], content=body, headers=headers)
            answer = orjson.loads(reply.content) if reply.is_success else None
        except (httpx2.TransportError, orjson.JSONDecodeError) as error:
            _log.info("The event log can't be reached: %s", type(error).__name__)
            return False
        if reply.status_code == _TOO_LARGE:
            # Smaller batches pass, and an event that is too large alone passes with less of its values.
            self._most = max(1, len(batch) // 2)
            return len(batch) > 1 or await self._shorten(*batch[0])
        if not isinstance(answer, dict):
            _log.warning("The event log answered %s to %d events.", reply.status_code, len(batch))
            return False
        for entry in answer.get("rejected", ()):
            if isinstance(entry, dict):
                _log.error("The event log has event %s as a dead letter: %s", entry.get("id"), entry.get("code"))
        await self._database.run(lambda connection: _forget(connection, [position for position, _ in batch]))
        self._most = min(_BATCH, max(self._most, len(batch)) * 2)
        return True

    async def _shorten(self, position: int, event: bytes) -> bool:
        """Keep the beginnings of an event's values; the records themselves are read from their owners anyway."""
        envelope = orjson.loads(event)
        for change in envelope["data"]["changes"]:
            for side in ("from", "to"):
                if change[side] is not None and len(change[side]) > _LONGEST_VALUE:
                    change[side] = change[side][: _LONGEST_VALUE - 1] + "…"
        short = orjson.dumps(envelope)
        is_shorter = len(short) < len(event)
        _log.warning("The event log takes no event of %d bytes: %s", len(event), envelope["id"])
        if is_shorter:
            await self._database.run(
                lambda c: c.execute("update outbox set event = ? where position = ?", (short, position))
            )
        return is_shorter


def _next_batch(connection: sqlite3.Connection, most: int) -> list[tuple[int, bytes]]:
    rows = connection.execute("select position, event from outbox order by position limit ?", (most,))
    return [(int(position), bytes(event)) for position, event in rows]


def _forget(connection: sqlite3.Connection, positions: Sequence[int]) -> None:
    connection.executemany("delete from outbox where position = ?", [(position,) for position in positions])


async def _wait(event: asyncio.Event, limit_s: float) -> None:
    try:
        async with asyncio.timeout(limit_s):
            await event.wait()
    except TimeoutError:
        return
