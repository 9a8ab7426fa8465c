"""The events of a single process: log, dead letters and streams over one SQLite file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.events.consumers import Consumers
from gateway.events.dead_letters import DeadLetters
from gateway.events.log import EventLog, StoreUnavailable
from gateway.events.meter import EventMeter
from gateway.events.notes import NOTE_TABLES, Notes, SqliteNotes
from gateway.events.source_stream import EventStreams
from gateway.events.sqlite_consumers import CONSUMER_TABLES, SqliteConsumers
from gateway.events.sqlite_dead_letters import DEAD_LETTER_TABLES, SqliteDeadLetters
from gateway.events.sqlite_log import EVENT_TABLES, SqliteEventLog
from gateway.events.sqlite_store import SqliteStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """What the rest of the gateway needs of its events."""

    log: EventLog
    dead_letters: DeadLetters
    streams: EventStreams
    consumers: Consumers
    notes: Notes


@asynccontextmanager
async def embedded_events(
    path: Path, *, retention: timedelta = timedelta(days=30), meter: EventMeter | None = None
) -> AsyncGenerator[Events]:
    """Open `path`, such as `.concord/gateway/events.sqlite`, and keep it trimmed. Raises `StoreUnavailable`."""
    meter = meter or EventMeter()
    store = SqliteStore(path, EVENT_TABLES + DEAD_LETTER_TABLES + CONSUMER_TABLES + NOTE_TABLES)
    try:
        log = SqliteEventLog(store, meter=meter)
        await log.start()
        events = Events(
            log=log,
            dead_letters=SqliteDeadLetters(store),
            streams=EventStreams(log, meter),
            consumers=SqliteConsumers(store, log),
            notes=SqliteNotes(store),
        )
        trimming = asyncio.create_task(keep_trimmed(events, retention), name="event retention")
        try:
            yield events
        finally:
            trimming.cancel()
            await asyncio.gather(trimming, return_exceptions=True)
    finally:
        await store.close()


async def keep_trimmed(events: Events, retention: timedelta, *, every_s: float = 600) -> None:
    """Forget events and settled dead letters older than `retention`, again and again; a store that fails is tried again next time."""
    while True:
        with suppress(StoreUnavailable):
            oldest = datetime.now(UTC) - retention
            await events.log.trim(oldest)
            await events.dead_letters.trim(oldest)
        await asyncio.sleep(every_s)
