"""The events of several gateways: log, dead letters and streams over the Redis they share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

from gateway.events.embedded import Events, keep_trimmed
from gateway.events.meter import EventMeter
from gateway.events.redis_consumers import RedisConsumers
from gateway.events.redis_dead_letters import RedisDeadLetters
from gateway.events.redis_log import RedisEventLog
from gateway.events.redis_notes import RedisNotes
from gateway.events.redis_store import RedisStore
from gateway.events.source_stream import EventStreams


@asynccontextmanager
async def shared_events(
    url: str, *, retention: timedelta = timedelta(days=30), meter: EventMeter | None = None
) -> AsyncGenerator[Events]:
    """Use the log in a Redis, `redis://127.0.0.1:6379/0`, and keep it trimmed. Raises `StoreUnavailable`."""
    meter = meter or EventMeter()
    store = RedisStore(url)
    try:
        await store.warn_if_forgetful()
        log = RedisEventLog(store, meter=meter)
        await log.start()
        events = Events(
            log=log,
            dead_letters=RedisDeadLetters(store),
            streams=EventStreams(log, meter),
            consumers=RedisConsumers(store, log),
            notes=RedisNotes(store),
        )
        tasks = (
            asyncio.create_task(log.follow(), name="event log reader"),
            asyncio.create_task(keep_trimmed(events, retention), name="event retention"),
        )
        try:
            yield events
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        await store.close()
