"""Replays of a time range to one named consumer: jobs that survive a restart, throttled, their events flagged."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

import orjson

from gateway.events.event import RecordedEvent
from gateway.events.log import EventFilter, EventLog, PositionExpired
from gateway.events.notes import Notes

_SHELF = "replays"
_PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayJob:
    """Events that one consumer gets once more."""

    id: str
    consumer: str
    since: datetime
    """Recorded from this instant on …"""
    until: datetime
    """… and before this one."""
    types: tuple[str, ...] | None
    per_second: float
    reason: str
    after: int = 0
    """Place in the log up to which the job is done."""
    replayed: int = 0

    @property
    def wanted(self) -> EventFilter:
        """Which events of the range it is about."""
        return EventFilter(types=None if self.types is None else frozenset(self.types))


class ReplayJobs:
    """The replays that are not finished."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    async def begin(
        self,
        consumer: str,
        *,
        since: datetime,
        until: datetime,
        types: Sequence[str] | None,
        per_second: float,
        reason: str,
    ) -> ReplayJob:
        """Keep a new job; whoever serves the consumer works on it. Raises `StoreUnavailable`."""
        job = ReplayJob(
            id=secrets.token_hex(6),
            consumer=consumer,
            since=since.astimezone(UTC),
            until=min(until, datetime.now(UTC)).astimezone(UTC),
            types=None if types is None else tuple(types),
            per_second=per_second,
            reason=reason,
        )
        await self.save(job)
        return job

    async def all(self, consumer: str | None = None) -> Sequence[ReplayJob]:
        """Return unfinished jobs, of one consumer or of all."""
        jobs = [_parse(body) for body in (await self._notes.all(_SHELF)).values()]
        return [job for job in jobs if consumer in (None, job.consumer)]

    async def save(self, job: ReplayJob) -> None:
        """Note how far a job is."""
        await self._notes.put(_SHELF, job.id, orjson.dumps(asdict(job)))

    async def finish(self, job: ReplayJob) -> None:
        """Forget a job."""
        await self._notes.remove(_SHELF, job.id)


async def events_of(job: ReplayJob, log: EventLog) -> AsyncIterator[tuple[RecordedEvent, ReplayJob]]:
    """Yield the job's events, oldest first, each with the job as it is once the event is dealt with.

    Events of the range that retention removes meanwhile are passed by.
    """
    position, replayed = max(job.after, log.bounds().trimmed), job.replayed
    while True:
        try:
            page = await log.read(position, job.wanted, _PAGE)
        except PositionExpired:
            position = log.bounds().trimmed
            continue
        for recorded in page.events:
            if recorded.recorded_at >= job.until:
                return
            if recorded.recorded_at >= job.since:
                replayed += 1
                yield recorded, replace(job, after=recorded.position, replayed=replayed)
        if page.complete:
            return
        position = page.position


def _parse(body: bytes) -> ReplayJob:
    fields = orjson.loads(body)
    for name in ("since", "until"):
        fields[name] = datetime.fromisoformat(fields[name])
    fields["types"] = None if fields["types"] is None else tuple(fields["types"])
    return ReplayJob(**fields)
