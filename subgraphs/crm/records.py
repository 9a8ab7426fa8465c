"""What the CRM knows, in no vendor's terms."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from subgraphs.crm.terms import (
    CustomerStatus,
    OpportunityKind,
    OpportunityStage,
    RenewalRisk,
    RenewalStage,
    Segment,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """A customer's record."""

    id: str
    name: str | None
    domain: str | None
    reference: str | None
    """The business key, `CUST-0001`."""
    segment: Segment | None
    status: CustomerStatus | None
    owner_id: str | None
    industry: str | None
    employees: int | None
    address: str | None
    city: str | None
    postal_code: str | None
    country: str | None
    created_at: dt.datetime
    updated_at: dt.datetime
    version: str
    """Changes with every change of the record; orders changes of one record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A contact's record."""

    id: str
    first_name: str | None
    last_name: str | None
    email: str | None
    phone: str | None
    job_title: str | None
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """An opportunity's record."""

    id: str
    name: str | None
    kind: OpportunityKind | None
    stage: OpportunityStage | None
    """None for a stage that only this portal has."""
    amount: Decimal | None
    currency: str | None
    close_on: dt.date | None
    probability: Decimal | None
    """0 to 1."""
    owner_id: str | None
    contract_number: str | None
    renewal_stage: RenewalStage | None
    renewal_risk: RenewalRisk | None
    description: str | None = None
    """What people, and workflows, noted."""
    created_at: dt.datetime
    updated_at: dt.datetime
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """An account manager's record."""

    id: str
    name: str | None
    email: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanyLinks:
    """The companies around a company."""

    parents: tuple[str, ...]
    children: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueProduct:
    """What the CRM knows of a product that billing sells."""

    id: str
    sku: str
    name: str | None
    prices: Mapping[str, Decimal | None]
    """Currency → price of one unit; one for each currency that the CRM works in, None where none was entered."""
    note: str | None
    """Its description, at whose end stands our external reference if it was made here."""
