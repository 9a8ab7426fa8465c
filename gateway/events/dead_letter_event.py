"""The gateway's own event about an event that it put aside."""

from __future__ import annotations

from datetime import UTC, datetime

from gateway.events.dead_letter_desk import dead_letter_id
from gateway.events.dead_letters import RejectedEvent
from gateway.events.event import Change, Event

_NAME = "dead_letter.created"


def dead_letter_created(rejected: RejectedEvent, number: int, *, now: datetime | None = None) -> Event:
    """Return the event that tells of a dead letter; the same letter gives the same id."""
    subject = dead_letter_id(number)
    return Event(
        id=f"gateway:dead_letter:{number}:{_NAME}",
        type=f"concord.{_NAME}.v1",
        source="concord/gateway",
        subject=subject,
        time=now or datetime.now(UTC),
        data_schema=f"urn:concord:event:{_NAME}:1.0",
        causation_id=rejected.event_id,
        keys={"deadLetter": subject},
        changes=(Change(field="rule", before=None, after=rejected.broken.rule[:200]),),
    )
