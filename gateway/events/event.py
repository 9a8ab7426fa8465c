"""A lifecycle event, as it was published and as the log recorded it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from gateway.execution.complete import MASK


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field that changed: `from` and `to` on the wire."""

    field: str
    before: str | None
    """As text, such as `12.50` or `true`; None where there was no value."""
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A CloudEvent that fits its contract. It carries keys, a version and changes, never a record."""

    id: str
    type: str
    """Such as `concord.contract.activated.v1`."""
    source: str
    """Such as `concord/billing`."""
    subject: str
    """Global id of the entity that the event is about; order holds per subject."""
    time: datetime
    """When it happened in the business, UTC."""
    data_schema: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    replay_of: str | None = None
    """Global id of the dead letter that it was, if it was one."""
    keys: Mapping[str, str]
    """Names of entities to the keys that find them: `{"customer": "<global id>", "contract": "CON-2025-0001"}`."""
    version: str | None = None
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEvent:
    """An event in the log."""

    event: Event
    position: int
    """Place in the whole log, from 1, ever rising; numbers may be left out."""
    sequence: int
    """Count of this subject's events, from 1, without holes."""
    recorded_at: datetime
    """When it reached the log, UTC; minus `event.time` it is the event's lag."""


def without_values(event: Event, names: Collection[str]) -> Event:
    """Return an event that tells of changes in fields with these names, but not of their values."""
    if not names or all(frozenset(names).isdisjoint(change.field.split(".")) for change in event.changes):
        return event

    def masked(change: Change) -> Change:
        if frozenset(names).isdisjoint(change.field.split(".")):
            return change
        before, after = (None if value is None else MASK for value in (change.before, change.after))
        return Change(field=change.field, before=before, after=after)

    return replace(event, changes=tuple(map(masked, event.changes)))


def parse_event(envelope: Mapping[str, Any], contract: str | None = None) -> Event:
    """Return the event in a CloudEvents JSON object that has passed its contract, which stands for a `dataschema` left out."""
    data = envelope["data"]
    return Event(
        id=envelope["id"],
        type=envelope["type"],
        source=envelope["source"],
        subject=envelope["subject"],
        time=parse_instant(envelope["time"]),
        data_schema=envelope.get("dataschema", contract),
        correlation_id=envelope.get("correlationid"),
        causation_id=envelope.get("causationid"),
        replay_of=envelope.get("replayof"),
        keys=dict(data["keys"]),
        version=data.get("version"),
        changes=tuple(
            Change(field=change["field"], before=change["from"], after=change["to"]) for change in data["changes"]
        ),
    )


def print_event(event: Event) -> dict[str, Any]:
    """Return the event as a CloudEvents JSON object; `parse_event` reads it back."""
    envelope: dict[str, Any] = {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "time": print_instant(event.time),
        "datacontenttype": "application/json",
    }
    optional = {
        "dataschema": event.data_schema,
        "correlationid": event.correlation_id,
        "causationid": event.causation_id,
        "replayof": event.replay_of,
    }
    envelope.update({name: value for name, value in optional.items() if value is not None})
    data: dict[str, Any] = {"keys": dict(event.keys)}
    if event.version is not None:
        data["version"] = event.version
    data["changes"] = [{"field": change.field, "from": change.before, "to": change.after} for change in event.changes]
    envelope["data"] = data
    return envelope


def parse_instant(text: str) -> datetime:
    """Return an RFC 3339 instant in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)


def print_instant(instant: datetime) -> str:
    """Return an instant as RFC 3339 in UTC, such as `2026-03-01T09:30:00Z`."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
