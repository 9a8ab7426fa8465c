"""Lifecycle events as every subgraph sends them: CloudEvents 1.0 of type `concord.<subject>.<event>.v1`.

    event = CanonicalEvent(source="crm", type="opportunity.won", subject=opportunity_gid, identity=("deal", "42", "1699…"),
                           time=changed_at, keys={"customer": gid, "contract": "CON-2025-0001"}, version="1699…",
                           changes=(FieldChange("stage", "NEGOTIATION", "WON"),))
    event.to_cloud_event()

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of the subject that changed; values as text, None where there was none."""

    field: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CanonicalEvent:
    """Something that happened to one entity, in no vendor's terms."""

    source: str
    """The subgraph: `crm`."""
    type: str
    """`opportunity.won`; printed as `concord.opportunity.won.v1`."""
    subject: str
    """Global id of the entity it happened to."""
    identity: tuple[str, ...]
    """What makes it this event and no other: the vendor's event id, or object and version. Repeats give the same id."""
    time: dt.datetime
    """Business time, aware."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Related entities: `customer` (global id), `contract` and `invoice` (number), `opportunity`, `entitlement` (global ids), `feature`."""
    version: str | None = None
    """Version of the entity after the change."""
    changes: tuple[FieldChange, ...] = ()
    correlation_id: str | None = None
    causation_id: str | None = None

    @property
    def id(self) -> str:
        """Deterministic: a hash of source, type, subject and identity."""
        text = "\x1f".join((self.source, self.type, self.subject, *self.identity))
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def to_cloud_event(self) -> dict[str, Any]:
        """Return the JSON form. Its `dataschema` is left to the gateway, which holds it against the contract."""
        event: dict[str, Any] = {
            "specversion": "1.0",
            "id": self.id,
            "source": f"concord/{self.source}",
            "type": f"concord.{self.type}.v1",
            "subject": self.subject,
            "time": self.time.astimezone(dt.UTC).isoformat().replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "data": {
                "keys": dict(self.keys),
                "version": self.version,
                "changes": [{"field": c.field, "from": c.old, "to": c.new} for c in self.changes],
            },
        }
        if self.correlation_id is not None:
            event["correlationid"] = self.correlation_id
        if self.causation_id is not None:
            event["causationid"] = self.causation_id
        return event
