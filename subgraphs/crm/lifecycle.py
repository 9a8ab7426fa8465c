"""What a change of a CRM record means: the lifecycle events of two states of a company or deal."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from subgraphs.crm.records import Company, Deal
from subgraphs.crm.terms import OpportunityStage, RenewalStage
from subgraphs.kit.canonical_event import CanonicalEvent, FieldChange
from subgraphs.kit.global_id import encode_global_id
from subgraphs.kit.projection import Change

Facts = Mapping[str, str | None]
"""The fields of a record that events tell of, as text."""


def company_facts(company: Company) -> Facts:
    """Return what events tell of a company."""
    return {
        "name": company.name,
        "segment": company.segment,
        "status": company.status,
        "owner": encode_global_id("AccountOwner", company.owner_id) if company.owner_id else None,
        "industry": company.industry,
        "updatedAt": company.updated_at.isoformat(),
        "version": company.version,
    }


def deal_facts(deal: Deal) -> Facts:
    """Return what events tell of a deal."""
    return {
        "name": deal.name,
        "stage": deal.stage,
        "amount": format(deal.amount, "f") if deal.amount is not None else None,
        "closeOn": deal.close_on.isoformat() if deal.close_on else None,
        "owner": encode_global_id("AccountOwner", deal.owner_id) if deal.owner_id else None,
        "contract": deal.contract_number,
        "renewalStage": deal.renewal_stage,
        "renewalRisk": deal.renewal_risk,
        "updatedAt": deal.updated_at.isoformat(),
        "version": deal.version,
    }


def company_events(company_id: str, change: Change, customer: str) -> list[CanonicalEvent]:
    """Return customer.updated; `customer` is the canonical id. That a customer is new, identity tells: it gives the id."""
    if not change.applied or change.after is None:
        return []
    changes = _differences(change.before, change.after)
    if not changes:
        return []
    return [
        CanonicalEvent(
            source="crm",
            type="customer.updated",
            subject=customer,
            identity=("company", company_id, str(change.after["version"])),
            time=dt.datetime.fromisoformat(change.after["updatedAt"]),
            keys={"customer": customer},
            version=change.after["version"],
            changes=changes,
        )
    ]


def deal_events(deal_id: str, change: Change, customer: str | None) -> list[CanonicalEvent]:
    """Return the events of the deal's stage and of its contract's renewal."""
    if not change.applied or change.after is None:
        return []
    differences = {entry.field: entry for entry in _differences(change.before, change.after)}
    opportunity = encode_global_id("Opportunity", deal_id)
    contract = change.after["contract"]
    keys = {"opportunity": opportunity}
    if customer is not None:
        keys["customer"] = customer
    if contract is not None:
        keys["contract"] = contract

    def event(name: str, subject: str, *fields: str) -> CanonicalEvent:
        assert change.after is not None
        return CanonicalEvent(
            source="crm",
            type=name,
            subject=subject,
            identity=("deal", deal_id, str(change.after["version"])),
            time=dt.datetime.fromisoformat(change.after["updatedAt"]),
            keys=keys,
            version=change.after["version"],
            changes=tuple(differences[field] for field in fields if field in differences),
        )

    events = []
    if "stage" in differences:
        if change.before is not None:
            events.append(event("opportunity.stage_changed", opportunity, "stage"))
        if change.after["stage"] == OpportunityStage.WON:
            events.append(event("opportunity.won", opportunity, "stage", "amount", "closeOn"))
    if "renewalStage" in differences and contract is not None and change.before is not None:
        subject = encode_global_id("Contract", contract)
        events.append(event("renewal.stage_changed", subject, "renewalStage", "renewalRisk"))
        match change.after["renewalStage"]:
            case RenewalStage.RENEWED:
                events.append(event("renewal.completed", subject, "renewalStage"))
            case RenewalStage.LOST:
                events.append(event("renewal.lost", subject, "renewalStage"))
            case _:
                pass
    return events


def _differences(before: Facts | None, after: Facts) -> tuple[FieldChange, ...]:
    previous = before or {}
    return tuple(
        FieldChange(field, previous.get(field), value)
        for field, value in after.items()
        if field not in {"version", "updatedAt"} and previous.get(field) != value
    )
