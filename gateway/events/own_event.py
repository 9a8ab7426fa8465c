"""The gateway's own lifecycle events: about workflows, drift, dead letters and the systems it asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from gateway.events.catalogue import event_type
from gateway.events.event import Change, Event


def own_event(
    name: str,
    *,
    id: str,  # noqa: A002 - the attribute's name
    subject: str,
    time: datetime,
    keys: Mapping[str, str | None],
    changes: Sequence[tuple[str, str | None, str | None]],
    correlation_id: str | None = None,
    causation_id: str | None = None,
) -> Event:
    """Return an event of a name of the catalogue. Keys without a value are left out; `changes` are (field, before, after)."""
    row = event_type(name)
    return Event(
        id=id,
        type=row.type,
        source="concord/gateway",
        subject=subject,
        time=time,
        data_schema=row.data_schema,
        correlation_id=correlation_id,
        causation_id=causation_id,
        keys={key: value for key, value in keys.items() if value is not None},
        changes=tuple(Change(field=field, before=before, after=after) for field, before, after in changes),
    )
