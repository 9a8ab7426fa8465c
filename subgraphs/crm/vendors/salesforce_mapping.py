"""Salesforce's fields and our fields, both ways: the one place that knows their names and values.

Standard objects and fields as they come with an org, and five custom fields (`…__c`) that a company makes for its business
keys and renewals. A field that an org does not have is null and reported, so an org without them works as far as it goes.
https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/
"""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

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

VERSION = 2
"""Raised with every change of what a document becomes; the golden file beside the tests shows it."""
API_VERSION = "v62.0"
"""What it was written for, and what is asked for in every request."""

Document = Mapping[str, Any]

ACCOUNT_FIELDS = (
    "Id", "Name", "Website", "Customer_Reference__c", "Customer_Segment__c", "Type", "OwnerId", "Industry",
    "NumberOfEmployees", "BillingStreet", "BillingCity", "BillingPostalCode", "BillingCountry", "ParentId",
    "CreatedDate", "SystemModstamp",
)  # fmt: skip
CONTACT_FIELDS = ("Id", "FirstName", "LastName", "Email", "Phone", "Title", "AccountId", "SystemModstamp")
OPPORTUNITY_FIELDS = (
    "Id", "Name", "Type", "StageName", "Amount", "CurrencyIsoCode", "CloseDate", "Probability", "OwnerId", "AccountId",
    "Contract_Number__c", "Renewal_Stage__c", "Renewal_Risk__c", "Description", "CreatedDate", "SystemModstamp",
)  # fmt: skip
USER_FIELDS = ("Id", "Name", "Email")

REFERENCE_FIELD = "Customer_Reference__c"
"""The external id of an account."""

STAGES: Mapping[str, OpportunityStage] = {
    "Qualification": OpportunityStage.QUALIFICATION,
    "Prospecting": OpportunityStage.QUALIFICATION,
    "Needs Analysis": OpportunityStage.DISCOVERY,
    "Value Proposition": OpportunityStage.DISCOVERY,
    "Id. Decision Makers": OpportunityStage.DISCOVERY,
    "Proposal/Price Quote": OpportunityStage.PROPOSAL,
    "Perception Analysis": OpportunityStage.PROPOSAL,
    "Negotiation/Review": OpportunityStage.NEGOTIATION,
    "Closed Won": OpportunityStage.WON,
    "Closed Lost": OpportunityStage.LOST,
}
"""The stages that come with an org. Where several mean the same to us, the first is the one written."""

_KINDS = {
    "New Business": OpportunityKind.NEW_BUSINESS,
    "New Customer": OpportunityKind.NEW_BUSINESS,
    "Existing Business": OpportunityKind.EXPANSION,
    "Existing Customer - Upgrade": OpportunityKind.EXPANSION,
    "Existing Customer - Replacement": OpportunityKind.EXPANSION,
    "Existing Customer - Downgrade": OpportunityKind.EXPANSION,
}
_STATUSES = {
    "Prospect": CustomerStatus.PROSPECT,
    "Customer": CustomerStatus.ACTIVE,
    "Customer - Direct": CustomerStatus.ACTIVE,
    "Customer - Channel": CustomerStatus.ACTIVE,
    "Former Customer": CustomerStatus.CHURNED,
}
_SEGMENTS = {"Enterprise": Segment.ENTERPRISE, "Mid-Market": Segment.MID_MARKET, "SMB": Segment.SMB, "Startup": Segment.STARTUP}  # fmt: skip
_RENEWAL_STAGES = {
    "Not Started": RenewalStage.NOT_STARTED,
    "In Review": RenewalStage.IN_REVIEW,
    "Quoted": RenewalStage.QUOTED,
    "Committed": RenewalStage.COMMITTED,
    "Renewed": RenewalStage.RENEWED,
    "Lost": RenewalStage.LOST,
}
_RISKS = {"Low": RenewalRisk.LOW, "Medium": RenewalRisk.MEDIUM, "High": RenewalRisk.HIGH}

ORDER_FIELDS: Mapping[DealOrder, str] = {
    DealOrder.NAME: "Name",
    DealOrder.AMOUNT: "Amount",
    DealOrder.CLOSE_ON: "CloseDate",
    DealOrder.CREATED: "CreatedDate",
}

ARGUMENTS: Mapping[str, str] = {
    "Name": "name",
    "Customer_Segment__c": "segment",
    "Industry": "industry",
    "OwnerId": "ownerId",
    "StageName": "stage",
    "Amount": "amount",
    "CloseDate": "closeOn",
    "Renewal_Stage__c": "stage",
    "Renewal_Risk__c": "risk",
}
"""Field → the mutation argument that its value came from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SalesforceMapping:
    """Documents into records. Each raises KeyError, TypeError or ValueError if the document is not of its object."""

    drift: SchemaDrift
    currency: str | None = None
    """The currency of an org that has only one, whose opportunities therefore don't name it."""

    def to_company(self, held: Document) -> Company:
        """Return a company of an Account."""
        at = instant(held["SystemModstamp"])
        known = self.drift.known
        return Company(
            id=held["Id"],
            name=held.get("Name"),
            domain=_domain(held.get("Website")),
            reference=held.get(REFERENCE_FIELD),
            segment=known(_SEGMENTS, held.get("Customer_Segment__c"), kind="Account", field="Customer_Segment__c"),
            status=known(_STATUSES, held.get("Type"), kind="Account", field="Type"),
            owner_id=held.get("OwnerId"),
            industry=held.get("Industry"),
            employees=held.get("NumberOfEmployees"),
            address=held.get("BillingStreet"),
            city=held.get("BillingCity"),
            postal_code=held.get("BillingPostalCode"),
            country=held.get("BillingCountry"),
            created_at=instant(held["CreatedDate"]),
            updated_at=at,
            version=version_of(held),
        )

    def to_person(self, held: Document) -> Person:
        """Return a person of a Contact."""
        return Person(
            id=held["Id"],
            first_name=held.get("FirstName"),
            last_name=held.get("LastName"),
            email=held.get("Email"),
            phone=held.get("Phone"),
            job_title=held.get("Title"),
            version=version_of(held),
        )

    def to_deal(self, held: Document) -> Deal:
        """Return a deal of an Opportunity."""
        known = self.drift.known
        kind = "Opportunity"
        percent = self._decimal(held, "Probability")
        return Deal(
            id=held["Id"],
            name=held.get("Name"),
            kind=known(_KINDS, held.get("Type"), kind=kind, field="Type"),
            stage=known(STAGES, held.get("StageName"), kind=kind, field="StageName"),
            amount=self._decimal(held, "Amount"),
            currency=held.get("CurrencyIsoCode") or self.currency,
            close_on=self._date(held, "CloseDate"),
            probability=percent / 100 if percent is not None else None,
            owner_id=held.get("OwnerId"),
            contract_number=held.get("Contract_Number__c") or None,
            renewal_stage=known(_RENEWAL_STAGES, held.get("Renewal_Stage__c"), kind=kind, field="Renewal_Stage__c"),
            renewal_risk=known(_RISKS, held.get("Renewal_Risk__c"), kind=kind, field="Renewal_Risk__c"),
            description=held.get("Description") or None,
            created_at=instant(held["CreatedDate"]),
            updated_at=instant(held["SystemModstamp"]),
            version=version_of(held),
        )

    def to_owner(self, held: Document) -> Owner:
        """Return an owner of a User."""
        return Owner(id=held["Id"], name=held.get("Name"), email=held.get("Email"))

    def _decimal(self, held: Document, field: str) -> Decimal | None:
        """Return an exact decimal: Salesforce sends numbers, whose shortest text is the one that was written."""
        value = held.get(field)
        if value is None:
            return None
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            number = Decimal("NaN")
        if number.is_finite() and not isinstance(value, bool):
            return _plain(number)
        self.drift.unreadable("Opportunity", field, value)
        return None

    def _date(self, held: Document, field: str) -> dt.date | None:
        value = held.get(field)
        if value is None:
            return None
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            self.drift.unreadable("Opportunity", field, value)
            return None


def company_fields(change: CompanyChange) -> dict[str, Any]:
    """Return the fields that a change writes."""
    return _given(
        Name=change.name,
        Customer_Segment__c=_word(_SEGMENTS, change.segment),
        OwnerId=change.owner_id,
        Industry=change.industry,
        Type=_word(_STATUSES, change.status),
        Customer_Reference__c=change.reference,
    )


def new_company_fields(company: NewCompany) -> dict[str, Any]:
    """Return the fields that an account begins with, but for its external id."""
    return _given(
        Name=company.name,
        Website=company.domain,
        BillingStreet=company.street,
        BillingCity=company.city,
        BillingCountry=company.country,
        Customer_Segment__c=_word(_SEGMENTS, company.segment),
        Type=_word(_STATUSES, company.status),
    )


def deal_fields(change: DealChange) -> dict[str, Any]:
    """Return the fields that a change writes."""
    return _given(
        Name=change.name,
        StageName=_word(STAGES, change.stage),
        # As JSON has no decimals, a number with the same shortest text: exact up to 15 digits.
        Amount=float(change.amount) if change.amount is not None else None,
        CloseDate=change.close_on.isoformat() if change.close_on else None,
        OwnerId=change.owner_id,
        Renewal_Stage__c=_word(_RENEWAL_STAGES, change.renewal_stage),
        Renewal_Risk__c=_word(_RISKS, change.renewal_risk),
        Contract_Number__c=change.contract_number,
        Description=change.description,
    )


def instant(text: str) -> dt.datetime:
    """Return the instant of `2026-03-02T10:00:00.000+0000`; one without a zone is in UTC, as all of Salesforce's are."""
    found = dt.datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def version_instant(version: str) -> dt.datetime:
    """Return when a record had this version, to the second."""
    return dt.datetime.fromtimestamp(int(version.partition("-")[0]) // 1000, dt.UTC)


def version_of(held: Document) -> str:
    """Return `<milliseconds>-<digest of the fields>`: Salesforce's clock of changes ticks in seconds, within which the
    digest tells two changes apart.
    """
    fields = {name: value for name, value in held.items() if value is not None and name != "attributes"}
    digest = zlib.crc32(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS))
    return f"{round(instant(held['SystemModstamp']).timestamp() * 1000)}-{digest:08x}"


def _domain(website: str | None) -> str | None:
    """Return the host of `https://www.acme.example/about`."""
    if not website:
        return None
    host = website.partition("://")[2] or website
    return host.partition("/")[0].partition(":")[0].lower().removeprefix("www.") or None


def _plain(number: Decimal) -> Decimal:
    """Return `12` for `12.0`, and `1200` for `1.2E+3`."""
    whole = number.to_integral_value()
    return Decimal(int(whole)) if whole == number else number


def _word(table: Mapping[str, Any], value: object) -> str | None:
    return None if value is None else next(word for word, member in table.items() if member is value)


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
