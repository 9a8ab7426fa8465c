"""Every lifecycle event type: who emits it, when, about what, and what its data must hold.

`schema/events/` is printed from this table by `python -m gateway.events.print_contracts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

MINOR = 1
"""Minor version of the contracts; raised with each compatible change."""

KEY_NAMES = (
    "customer",
    "opportunity",
    "contract",
    "entitlement",
    "feature",
    "invoice",
    "creditMemo",
    "payment",
    "workflow",
    "drift",
    "source",
    "deadLetter",
)
"""Entities that an event may name; numbers for contracts and invoices, global ids for the rest."""

_GLOBAL_ID_KEYS = {
    "customer": "Customer",
    "opportunity": "Opportunity",
    "entitlement": "Entitlement",
    "creditMemo": "CreditMemo",
    "payment": "Payment",
}


@dataclass(frozen=True, slots=True)
class ChangeOf:
    """A change that must be among an event's changes."""

    field: str


class AnyChange(Enum):
    """How many changes an event must list when no certain one is demanded."""

    NONE_NEEDED = 0
    AT_LEAST_ONE = 1


@dataclass(frozen=True, slots=True)
class EventType:
    """One row of the catalogue."""

    name: str
    """Such as `contract.activated`; the full type is `concord.contract.activated.v1`."""
    subjects: tuple[str, ...]
    """Types that the subject's global id may have."""
    emitters: tuple[str, ...]
    """Systems that may publish it, an instance of them included (`concord/erp/eu`)."""
    keys: tuple[str, ...]
    """Keys it must carry; others are carried when known."""
    changes: ChangeOf | AnyChange
    when: str
    """A sentence for the documentation."""
    major: int = 1

    @property
    def type(self) -> str:
        """The CloudEvents type."""
        return f"concord.{self.name}.v{self.major}"

    @property
    def data_schema(self) -> str:
        """The CloudEvents dataschema, which names the exact version of the contract."""
        return f"urn:concord:event:{self.name}:{self.major}.{MINOR}"

    @property
    def file_name(self) -> str:
        """Name of the contract's file in schema/events/."""
        return f"{self.type}.json"


def key_typename(key: str) -> str | None:
    """Return the type that a key's global id must have, or None if the key is a number or a name."""
    return _GLOBAL_ID_KEYS.get(key)


_NONE, _SOME = AnyChange
_STATUS = ChangeOf("status")

# One row a line, so that it reads as a table.
# fmt: off
CATALOGUE: tuple[EventType, ...] = (
    EventType("customer.created", ("Customer",), ("identity",), ("customer",), _NONE, "A customer got its canonical id."),
    EventType("customer.updated", ("Customer",), ("identity", "crm", "billing", "erp"), ("customer",), _SOME, "A field of the customer changed at its owner, or a record was linked to it or taken away."),
    EventType("customer.merged", ("Customer",), ("identity",), ("customer",), ChangeOf("mergedFrom"), "Another customer was found to be this one; `mergedFrom` names the id that goes on as an alias."),
    EventType("customer.credit_hold_changed", ("Customer",), ("erp",), ("customer",), ChangeOf("creditHold"), "The ERP put the customer on credit hold or released it."),
    EventType("opportunity.stage_changed", ("Opportunity",), ("crm",), ("opportunity",), ChangeOf("stage"), "The opportunity moved to another stage."),
    EventType("opportunity.won", ("Opportunity",), ("crm",), ("opportunity",), _NONE, "The opportunity was closed as won."),
    EventType("contract.created", ("Contract",), ("billing",), ("contract",), _NONE, "The contract exists in billing."),
    EventType("contract.activated", ("Contract",), ("billing",), ("contract",), _STATUS, "The contract became active."),
    EventType("contract.amended", ("Contract",), ("billing",), ("contract",), _SOME, "Items, price or term changed in mid-term."),
    EventType("contract.paused", ("Contract",), ("billing",), ("contract",), _STATUS, "Collection or service was paused."),
    EventType("contract.resumed", ("Contract",), ("billing",), ("contract",), _STATUS, "A paused contract became active again."),
    EventType("contract.cancellation_scheduled", ("Contract",), ("billing",), ("contract",), _SOME, "The contract will end on a date, or no longer will."),
    EventType("contract.cancelled", ("Contract",), ("billing",), ("contract",), _STATUS, "The contract was cancelled."),
    EventType("contract.expired", ("Contract",), ("billing",), ("contract",), _STATUS, "The contract reached its end without renewal."),
    EventType("renewal.due", ("Contract",), ("billing",), ("contract",), _SOME, "The renewal date is a configured number of days away (90, 60, 30, 7); once each."),
    EventType("renewal.notice_deadline", ("Contract",), ("billing",), ("contract",), _SOME, "The last day to give notice is a configured number of days away; once each."),
    EventType("renewal.stage_changed", ("Contract",), ("crm",), ("contract",), ChangeOf("renewalStage"), "Sales moved the renewal to another stage."),
    EventType("renewal.completed", ("Contract",), ("billing", "crm", "gateway"), ("contract",), _NONE, "The contract was renewed for another term."),
    EventType("renewal.lost", ("Contract",), ("billing", "crm", "gateway"), ("contract",), _NONE, "The contract will not be renewed."),
    EventType("usage.recorded", ("Contract", "Entitlement", "Customer"), ("billing",), ("feature",), _NONE, "Usage of a metered feature was recorded."),
    EventType("usage.threshold_reached", ("Contract", "Entitlement", "Customer"), ("billing",), ("feature",), _NONE, "Usage reached a configured share of the limit."),
    EventType("usage.overage", ("Contract", "Entitlement", "Customer"), ("billing",), ("feature",), _NONE, "Usage went beyond the limit."),
    EventType("entitlement.granted", ("Entitlement",), ("billing",), ("entitlement",), _NONE, "A customer may use a feature."),
    EventType("entitlement.changed", ("Entitlement",), ("billing",), ("entitlement",), _SOME, "Limit, validity or another term of the entitlement changed."),
    EventType("entitlement.exhausted", ("Entitlement",), ("billing",), ("entitlement",), _NONE, "Nothing of the limit is left."),
    EventType("entitlement.revoked", ("Entitlement",), ("billing",), ("entitlement",), _NONE, "The customer may no longer use the feature."),
    EventType("invoice.posted", ("Invoice",), ("erp",), ("invoice",), _NONE, "The invoice was posted to the ledger."),
    EventType("invoice.due_soon", ("Invoice",), ("erp",), ("invoice",), _NONE, "The due date is a configured number of days away; once each."),
    EventType("invoice.overdue", ("Invoice",), ("erp",), ("invoice",), _NONE, "The due date passed with a balance left."),
    EventType("invoice.paid", ("Invoice",), ("erp",), ("invoice",), _NONE, "Nothing is left to pay."),
    EventType("invoice.voided", ("Invoice",), ("erp",), ("invoice",), _NONE, "The invoice was cancelled."),
    EventType("credit_memo.issued", ("CreditMemo",), ("erp",), (), _NONE, "A credit memo was posted."),
    EventType("payment.received", ("Payment",), ("erp", "billing"), (), _NONE, "A payment arrived."),
    EventType("payment.failed", ("Payment", "Invoice"), ("erp", "billing"), (), _NONE, "A payment was tried and refused."),
    EventType("payment.refunded", ("Payment",), ("erp", "billing"), (), _NONE, "A payment was given back."),
    EventType("revenue.schedule_created", ("Contract", "Invoice"), ("erp",), (), _NONE, "Revenue was deferred and scheduled over the term."),
    EventType("revenue.recognized", ("RevenueEntry",), ("erp",), (), _NONE, "Revenue of a period was recognised."),
    EventType("journal.posted", ("JournalEntry",), ("erp",), (), _NONE, "A journal entry was posted."),
    EventType("workflow.started", ("Workflow",), ("gateway",), ("workflow",), _NONE, "A write over several systems began."),
    EventType("workflow.step_failed", ("Workflow",), ("gateway",), ("workflow",), _NONE, "A step failed; it is retried or undone."),
    EventType("workflow.completed", ("Workflow",), ("gateway",), ("workflow",), _NONE, "All steps are done."),
    EventType("workflow.compensated", ("Workflow",), ("gateway",), ("workflow",), _NONE, "All finished steps were undone."),
    EventType("drift.detected", ("Drift",), ("gateway",), ("drift",), _NONE, "Two systems disagree about a field."),
    EventType("drift.resolved", ("Drift",), ("gateway",), ("drift",), _NONE, "Two systems agree again."),
    EventType("source.degraded", ("Source",), ("gateway", "crm", "billing", "erp", "identity"), ("source",), _NONE, "A system of record fails or its changes are late."),
    EventType("source.recovered", ("Source",), ("gateway", "crm", "billing", "erp", "identity"), ("source",), _NONE, "A system of record is well again."),
    EventType("dead_letter.created", ("DeadLetter",), ("gateway",), ("deadLetter",), _NONE, "An event broke its contract and was put aside."),
)
# fmt: on
"""All types, in the order of the documentation."""

SUBJECTS: tuple[str, ...] = tuple(dict.fromkeys(row.name.partition(".")[0] for row in CATALOGUE))
"""The first words of the types' names: `customer`, `opportunity` …"""

_BY_NAME = {row.name: row for row in CATALOGUE}


def event_type(name: str) -> EventType:
    """Return the row of a name, such as `workflow.started`. Raises KeyError."""
    return _BY_NAME[name]
