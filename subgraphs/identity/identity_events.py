"""The lifecycle events of identity: customers created, merged, and changed in what belongs to them."""

from __future__ import annotations

import datetime as dt

from subgraphs.identity.customer_id import global_customer_id
from subgraphs.kit.canonical_event import CanonicalEvent, FieldChange


def customer_created(customer_id: str, at: float) -> CanonicalEvent:
    """Return the event of a new canonical id."""
    return _event("customer.created", customer_id, (customer_id, "created"), at, 1, ())


def records_changed(
    customer_id: str, version: int, at: float, *, gained: str | None = None, lost: str | None = None
) -> CanonicalEvent:
    """Return the event of a record, "crm:123", that now belongs to a customer or does no longer."""
    change = FieldChange("identities", lost, gained)
    return _event(
        "customer.updated", customer_id, (customer_id, str(version), gained or "", lost or ""), at, version, (change,)
    )


def customer_merged(survivor: str, duplicate: str, version: int, at: float) -> CanonicalEvent:
    """Return the event of a customer that turned out to be another."""
    change = FieldChange("mergedFrom", None, global_customer_id(duplicate))
    return _event("customer.merged", survivor, (survivor, duplicate, str(version)), at, version, (change,))


def customer_merged_away(duplicate: str, survivor: str, version: int, at: float) -> CanonicalEvent:
    """Return what those who follow the duplicate's id are told."""
    change = FieldChange("mergedInto", None, global_customer_id(survivor))
    return _event(
        "customer.updated", duplicate, (duplicate, str(version), "mergedInto", survivor), at, version, (change,)
    )


def _event(
    type_: str, customer_id: str, identity: tuple[str, ...], at: float, version: int, changes: tuple[FieldChange, ...]
) -> CanonicalEvent:
    global_id = global_customer_id(customer_id)
    return CanonicalEvent(
        source="identity",
        type=type_,
        subject=global_id,
        identity=identity,
        time=dt.datetime.fromtimestamp(at, dt.UTC),
        keys={"customer": global_id},
        version=str(version),
        changes=changes,
    )
