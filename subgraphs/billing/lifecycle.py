"""What a change at the vendor means to consumers: drafts of lifecycle events, before the customer's canonical id is known."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from subgraphs.kit.canonical_event import CanonicalEvent, FieldChange
from subgraphs.kit.global_id import encode_global_id

SOURCE = "billing"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDraft:
    """A lifecycle event about a contract, an entitlement or a payment that was tried."""

    type: str
    """`contract.paused`."""
    identity: tuple[str, ...]
    """The vendor's event id, or what else makes it unique."""
    time: dt.datetime
    customer: str
    """The vendor's id of the customer."""
    contract: str | None = None
    """Number."""
    feature: str | None = None
    """Set on events about an entitlement."""
    payment: str | None = None
    """Set on events about a payment: the vendor's id of what it was tried for."""
    invoice: str | None = None
    """Number."""
    version: str | None = None
    changes: tuple[FieldChange, ...] = ()
    causation_id: str | None = None

    def addressed(self, customer_id: str | None) -> CanonicalEvent:
        """Return the event; `customer_id` is the customer's global id, None while nobody knows whose record it is."""
        if self.payment is not None:
            subject = encode_global_id("Payment", f"{SOURCE}.{self.payment}")
        elif self.feature is not None:
            subject = encode_global_id("Entitlement", f"{self.customer}.{self.feature}")
        else:
            assert self.contract is not None
            subject = encode_global_id("Contract", self.contract)
        keys = {
            "customer": customer_id,
            "contract": self.contract,
            "invoice": self.invoice,
            "feature": self.feature,
            "entitlement": subject if self.feature is not None and self.payment is None else None,
        }
        return CanonicalEvent(
            source=SOURCE,
            type=self.type,
            subject=subject,
            identity=self.identity,
            time=self.time,
            keys={name: value for name, value in keys.items() if value is not None},
            version=self.version,
            changes=self.changes,
            causation_id=self.causation_id,
        )
