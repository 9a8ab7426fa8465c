"""The facts of the believable company, in no vendor's terms. All systems know them by the same business keys.

Customers are "CUST-0001", contracts "CON-2025-0001", invoices "INV-2025-00001", payments "PAY-2025-00001-1",
credit memos "CM-2025-00001", billed lines "BL-CON-2025-0001-003-1", products by SKU. Amounts are `Decimal` with two places.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from subgraphs.kit.company.agreements import (
    Amendment,
    BilledLine,
    Contract,
    ContractItem,
    Entitlement,
    Price,
    Product,
    Usage,
)
from subgraphs.kit.company.books import (
    AccountingPeriod,
    CreditMemo,
    Invoice,
    InvoiceLine,
    JournalEntry,
    JournalLine,
    Payment,
    RevenueEntry,
    TaxRate,
)
from subgraphs.kit.company.terms import (
    BillingInterval,
    ContractStatus,
    CustomerStatus,
    EntitlementState,
    InvoiceStatus,
    OpportunityKind,
    OpportunityStage,
    PaymentMethod,
    PaymentStatus,
    ProductKind,
    RenewalRisk,
    RenewalStage,
    RevenueStatus,
    Segment,
    Source,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A postal address."""

    street: str
    city: str
    postal_code: str
    country: str
    """ISO 3166 alpha-2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """An account manager."""

    reference: str
    """`OWN-01`."""
    first_name: str
    last_name: str
    email: str

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """A company we sell to."""

    reference: str
    name: str
    legal_name: str
    domain: str
    segment: Segment
    status: CustomerStatus
    owner: str
    """An owner's reference."""
    parent: str | None
    """Reference of the parent customer."""
    currency: str
    tax_id: str
    industry: str
    employees: int
    address: Address
    created_on: dt.date
    payment_method: PaymentMethod
    credit_limit: Decimal
    credit_hold: bool
    names: tuple[tuple[Source, str], ...]
    """Names that one system spells in its own way; the other systems use `name`."""
    cities: tuple[tuple[Source, str], ...]
    """Cities that one system has wrong or out of date."""
    missing_in: frozenset[Source]
    """Systems that don't know this customer."""
    parents: tuple[tuple[Source, str | None], ...] = ()
    """References of other parents, or none, that single systems have."""

    def parent_in(self, source: Source) -> str | None:
        """The reference of the parent as `source` has it."""
        return dict(self.parents).get(source, self.parent)

    def name_in(self, source: Source) -> str:
        """The name as `source` spells it."""
        return dict(self.names).get(source, self.name)

    def city_in(self, source: Source) -> str:
        """The city as `source` has it."""
        return dict(self.cities).get(source, self.address.city)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A person at a customer."""

    reference: str
    """`CONT-0001-1`."""
    customer: str
    first_name: str
    last_name: str
    email: str
    phone: str
    job_title: str
    created_on: dt.date


@dataclass(frozen=True, slots=True, kw_only=True)
class Opportunity:
    """A deal with a customer."""

    reference: str
    """`OPP-0001-1`."""
    customer: str
    name: str
    kind: OpportunityKind
    stage: OpportunityStage
    amount: Decimal
    currency: str
    probability: Decimal
    """0 to 1."""
    created_on: dt.date
    close_on: dt.date
    owner: str
    contract: str | None
    """Number of the contract it led to; None while open, when lost, and for the deal that never got one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """All facts, each tuple ordered by reference or date."""

    today: dt.date
    products: tuple[Product, ...]
    prices: tuple[Price, ...]
    tax_rates: tuple[TaxRate, ...]
    owners: tuple[Owner, ...]
    customers: tuple[Customer, ...]
    contacts: tuple[Contact, ...]
    opportunities: tuple[Opportunity, ...]
    contracts: tuple[Contract, ...]
    amendments: tuple[Amendment, ...]
    usage: tuple[Usage, ...]
    entitlements: tuple[Entitlement, ...]
    billed_lines: tuple[BilledLine, ...]
    invoices: tuple[Invoice, ...]
    invoice_lines: tuple[InvoiceLine, ...]
    payments: tuple[Payment, ...]
    credit_memos: tuple[CreditMemo, ...]
    revenue_entries: tuple[RevenueEntry, ...]
    journal_entries: tuple[JournalEntry, ...]
    periods: tuple[AccountingPeriod, ...]


__all__ = [
    "AccountingPeriod",
    "Address",
    "Amendment",
    "BilledLine",
    "BillingInterval",
    "Company",
    "Contact",
    "Contract",
    "ContractItem",
    "ContractStatus",
    "CreditMemo",
    "Customer",
    "CustomerStatus",
    "Entitlement",
    "EntitlementState",
    "Invoice",
    "InvoiceLine",
    "InvoiceStatus",
    "JournalEntry",
    "JournalLine",
    "Opportunity",
    "OpportunityKind",
    "OpportunityStage",
    "Owner",
    "Payment",
    "PaymentMethod",
    "PaymentStatus",
    "Price",
    "Product",
    "ProductKind",
    "RenewalRisk",
    "RenewalStage",
    "RevenueEntry",
    "RevenueStatus",
    "Segment",
    "Source",
    "TaxRate",
    "Usage",
]
