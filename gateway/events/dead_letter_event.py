"""The gateway's own event about an event that it put aside."""

from __future__ import annotations

from datetime import UTC, datetime

from gateway.events.dead_letter_desk import dead_letter_id
from gateway.events.dead_letters import RejectedEvent
from gateway.events.event import Event
from gateway.events.own_event import own_event

_NAME = "dead_letter.created"


def dead_letter_created(rejected: RejectedEvent, number: int, *, now: datetime | None = None) -> Event:
    """Return the event that tells of a dead letter; the same letter gives the same id."""
    subject = dead_letter_id(number)
    return own_event(
        _NAME,
        id=f"gateway:dead_letter:{number}:{_NAME}",
        subject=subject,
        time=now or datetime.now(UTC),
        causation_id=rejected.event_id,
        keys={"deadLetter": subject},
        changes=[("rule", None, rejected.broken.rule[:200])],
    )
