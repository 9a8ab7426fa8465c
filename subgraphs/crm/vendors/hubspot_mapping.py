"""HubSpot's properties and our fields, both ways: the one place that knows their names and values."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, TypeVar

from subgraphs.crm.port import CompanyChange, DealChange, NewCompany
from subgraphs.crm.records import Company, Deal, Owner, Person
from subgraphs.crm.terms import (
    CustomerStatus,
    DealOrder,
    OpportunityKind,
    OpportunityStage,
    RenewalRisk,
    RenewalStage,
    Segment,
)
from subgraphs.kit.schema_drift import SchemaDrift

EnumT = TypeVar("EnumT", bound=StrEnum)
Document = Mapping[str, Any]

VERSION = 2
"""Raised with every change of what a document becomes; the golden file beside the tests shows it."""
API_VERSION = "v3"
"""What it was written for: CRM objects v3, associations v4."""

COMPANY_PROPERTIES = (
    "name", "domain", "customer_reference", "customer_segment", "lifecyclestage", "hubspot_owner_id", "industry",
    "numberofemployees", "address", "city", "zip", "country",
)  # fmt: skip
PERSON_PROPERTIES = ("firstname", "lastname", "email", "phone", "jobtitle")
DEAL_PROPERTIES = (
    "dealname", "dealtype", "dealstage", "amount", "deal_currency_code", "closedate", "hs_deal_stage_probability",
    "hubspot_owner_id", "contract_number", "renewal_stage", "renewal_risk", "description",
)  # fmt: skip

STAGES: Mapping[str, OpportunityStage] = {
    "appointmentscheduled": OpportunityStage.QUALIFICATION,
    "qualifiedtobuy": OpportunityStage.DISCOVERY,
    "presentationscheduled": OpportunityStage.PROPOSAL,
    "decisionmakerboughtin": OpportunityStage.PROPOSAL,
    "contractsent": OpportunityStage.NEGOTIATION,
    "closedwon": OpportunityStage.WON,
    "closedlost": OpportunityStage.LOST,
}
"""Stages of HubSpot's default pipeline. Where two mean the same to us, the first is the one written."""

_KINDS = {"newbusiness": OpportunityKind.NEW_BUSINESS, "existingbusiness": OpportunityKind.EXPANSION}

_STATUSES = {
    "subscriber": CustomerStatus.PROSPECT,
    "lead": CustomerStatus.PROSPECT,
    "marketingqualifiedlead": CustomerStatus.PROSPECT,
    "salesqualifiedlead": CustomerStatus.PROSPECT,
    "opportunity": CustomerStatus.PROSPECT,
    "customer": CustomerStatus.ACTIVE,
    "evangelist": CustomerStatus.ACTIVE,
    "churned": CustomerStatus.CHURNED,
}

_SEGMENTS = {member.lower(): member for member in Segment}
_RENEWAL_STAGES = {member.lower(): member for member in RenewalStage}
_RISKS = {member.lower(): member for member in RenewalRisk}
_LIFECYCLE = {
    CustomerStatus.PROSPECT: "opportunity",
    CustomerStatus.ACTIVE: "customer",
    CustomerStatus.CHURNED: "churned",
}
"""What is written for each status."""

ORDER_PROPERTIES: Mapping[DealOrder, str] = {
    DealOrder.NAME: "dealname",
    DealOrder.AMOUNT: "amount",
    DealOrder.CLOSE_ON: "closedate",
    DealOrder.CREATED: "createdate",
}

ARGUMENTS: Mapping[str, str] = {
    "name": "name",
    "dealname": "name",
    "customer_segment": "segment",
    "industry": "industry",
    "hubspot_owner_id": "ownerId",
    "dealstage": "stage",
    "amount": "amount",
    "closedate": "closeOn",
    "renewal_stage": "stage",
    "renewal_risk": "risk",
}
"""Property → the mutation argument that its value came from."""


@dataclass(frozen=True, slots=True)
class HubSpotMapping:
    """Documents into records. Each raises KeyError, TypeError or ValueError if the document is not a HubSpot object."""

    drift: SchemaDrift

    def to_company(self, document: Document) -> Company:
        """Return a company. Raises KeyError, TypeError or ValueError if the document is not a HubSpot object."""
        held = document["properties"]
        return Company(
            id=str(document["id"]),
            name=held.get("name"),
            domain=held.get("domain"),
            reference=held.get("customer_reference"),
            segment=self._known(_SEGMENTS, held, "company", "customer_segment"),
            status=self._known(_STATUSES, held, "company", "lifecyclestage"),
            owner_id=held.get("hubspot_owner_id"),
            industry=held.get("industry"),
            employees=_integer(held.get("numberofemployees")),
            address=held.get("address"),
            city=held.get("city"),
            postal_code=held.get("zip"),
            country=held.get("country"),
            created_at=_instant(document["createdAt"]),
            updated_at=_instant(document["updatedAt"]),
            version=_version(document),
        )

    def to_person(self, document: Document) -> Person:
        """Return a contact; raises as `to_company` does."""
        held = document["properties"]
        return Person(
            id=str(document["id"]),
            first_name=held.get("firstname"),
            last_name=held.get("lastname"),
            email=held.get("email"),
            phone=held.get("phone"),
            job_title=held.get("jobtitle"),
            version=_version(document),
        )

    def to_deal(self, document: Document) -> Deal:
        """Return a deal; raises as `to_company` does."""
        held = document["properties"]
        return Deal(
            id=str(document["id"]),
            name=held.get("dealname"),
            kind=self._known(_KINDS, held, "deal", "dealtype"),
            stage=self._known(STAGES, held, "deal", "dealstage"),
            amount=_decimal(held.get("amount")),
            currency=held.get("deal_currency_code"),
            close_on=_instant(held["closedate"]).date() if held.get("closedate") else None,
            probability=_decimal(held.get("hs_deal_stage_probability")),
            owner_id=held.get("hubspot_owner_id"),
            contract_number=held.get("contract_number"),
            renewal_stage=self._known(_RENEWAL_STAGES, held, "deal", "renewal_stage"),
            renewal_risk=self._known(_RISKS, held, "deal", "renewal_risk"),
            description=held.get("description") or None,
            created_at=_instant(document["createdAt"]),
            updated_at=_instant(document["updatedAt"]),
            version=_version(document),
        )

    def to_owner(self, document: Document) -> Owner:
        """Return an owner; raises as `to_company` does."""
        names = [document.get("firstName"), document.get("lastName")]
        return Owner(
            id=str(document["id"]), name=" ".join(name for name in names if name) or None, email=document.get("email")
        )

    def _known(self, table: Mapping[str, EnumT], held: Document, kind: str, name: str) -> EnumT | None:
        return self.drift.known(table, held.get(name), kind=kind, field=name)


def company_properties(change: CompanyChange) -> dict[str, str]:
    """Return the properties that a change writes."""
    return _given(
        name=change.name,
        customer_segment=change.segment.lower() if change.segment else None,
        hubspot_owner_id=change.owner_id,
        industry=change.industry,
        customer_reference=change.reference,
        lifecyclestage=_LIFECYCLE[change.status] if change.status else None,
    )


def new_company_properties(company: NewCompany) -> dict[str, str]:
    """Return the properties that a company begins with."""
    return _given(
        customer_reference=company.reference,
        name=company.name,
        domain=company.domain,
        address=company.street,
        city=company.city,
        country=company.country,
        customer_segment=company.segment.lower() if company.segment else None,
        lifecyclestage=_LIFECYCLE[company.status] if company.status else None,
    )


def deal_properties(change: DealChange) -> dict[str, str]:
    """Return the properties that a change writes."""
    return _given(
        dealname=change.name,
        dealstage=stage_property(change.stage) if change.stage else None,
        amount=format(change.amount, "f") if change.amount is not None else None,
        closedate=f"{change.close_on.isoformat()}T00:00:00.000Z" if change.close_on else None,
        hubspot_owner_id=change.owner_id,
        renewal_stage=change.renewal_stage.lower() if change.renewal_stage else None,
        renewal_risk=change.renewal_risk.lower() if change.renewal_risk else None,
        contract_number=change.contract_number,
        description=change.description,
    )


def stage_property(stage: OpportunityStage) -> str:
    """Return the pipeline stage that is written for one of ours."""
    return next(name for name, member in STAGES.items() if member is stage)


def _given(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}


def _decimal(value: str | None) -> Decimal | None:
    try:
        number = Decimal(value) if value else None
    except InvalidOperation:
        return None
    return number if number is not None and number.is_finite() else None


def _integer(value: str | None) -> int | None:
    number = _decimal(value)
    return None if number is None else int(number)


def _instant(text: str) -> dt.datetime:
    instant = dt.datetime.fromisoformat(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=dt.UTC)


def _version(document: Document) -> str:
    """Return the modification time in milliseconds: HubSpot has no version number, and this orders changes."""
    return str(round(_instant(document["updatedAt"]).timestamp() * 1000))
