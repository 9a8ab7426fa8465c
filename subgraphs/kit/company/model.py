"""The facts of the believable company, in no vendor's terms. All systems know them by the same business keys.

Customers are "CUST-0001", contracts "CON-2025-0001", invoices "INV-2025-00001", payments "PAY-2025-00001-1",
credit memos "CM-2025-00001", billed lines "BL-CON-2025-0001-003-1", products by SKU. Amounts are `Decimal` with two places.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Segment(StrEnum):
    """How large a customer is."""

    ENTERPRISE = "ENTERPRISE"
    MID_MARKET = "MID_MARKET"
    SMB = "SMB"
    STARTUP = "STARTUP"


class CustomerStatus(StrEnum):
    """Where the relationship stands."""

    PROSPECT = "PROSPECT"
    ACTIVE = "ACTIVE"
    CHURNED = "CHURNED"


class Source(StrEnum):
    """The systems of record."""

    CRM = "crm"
    BILLING = "billing"
    ERP = "erp"


class OpportunityKind(StrEnum):
    """Why there is a deal."""

    NEW_BUSINESS = "NEW_BUSINESS"
    EXPANSION = "EXPANSION"


class OpportunityStage(StrEnum):
    """How far a deal has come."""

    QUALIFICATION = "QUALIFICATION"
    DISCOVERY = "DISCOVERY"
    PROPOSAL = "PROPOSAL"
    NEGOTIATION = "NEGOTIATION"
    WON = "WON"
    LOST = "LOST"


class RenewalStage(StrEnum):
    """How far the renewal of a contract has come."""

    NOT_STARTED = "NOT_STARTED"
    IN_REVIEW = "IN_REVIEW"
    QUOTED = "QUOTED"
    COMMITTED = "COMMITTED"
    RENEWED = "RENEWED"
    LOST = "LOST"


class RenewalRisk(StrEnum):
    """How likely the renewal is to fail."""

    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


class ContractStatus(StrEnum):
    """State of a contract today."""

    DRAFT = "DRAFT"
    TRIAL = "TRIAL"
    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


class BillingInterval(StrEnum):
    """How often something is billed, in advance; contracts are MONTHLY or ANNUAL."""

    MONTHLY = "MONTHLY"
    ANNUAL = "ANNUAL"
    ONCE = "ONCE"
    """Prices of services only."""


class ProductKind(StrEnum):
    """How a product is charged."""

    SEAT = "SEAT"
    FLAT = "FLAT"
    METERED = "METERED"
    SERVICE = "SERVICE"


class EntitlementState(StrEnum):
    """Whether a feature may be used today."""

    ACTIVE = "ACTIVE"
    EXHAUSTED = "EXHAUSTED"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"


class InvoiceStatus(StrEnum):
    """State of an invoice today."""

    DRAFT = "DRAFT"
    POSTED = "POSTED"
    PAID = "PAID"
    VOIDED = "VOIDED"


class PaymentMethod(StrEnum):
    """How a customer pays."""

    CARD = "CARD"
    SEPA_DEBIT = "SEPA_DEBIT"
    BANK_TRANSFER = "BANK_TRANSFER"


class PaymentStatus(StrEnum):
    """What became of a payment."""

    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class RevenueStatus(StrEnum):
    """Whether a month of deferred revenue has been recognised."""

    RECOGNIZED = "RECOGNIZED"
    SCHEDULED = "SCHEDULED"


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
class TaxRate:
    """A sales tax."""

    code: str
    """`DE-VAT-19`."""
    country: str
    percent: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """Something sold."""

    sku: str
    name: str
    kind: ProductKind
    feature: str
    """The feature that a contract with this product entitles to: `seats`, `api_calls`."""
    unit: str
    """What one unit is: `seat`, `1,000 calls`."""
    revenue_rule: str
    """`RATABLE_MONTHLY` over the service period or `POINT_IN_TIME` when billed."""
    tax_code: str
    """`SAAS` or `SERVICE`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """A product's list price in one currency and billing interval; per unit, METERED: per unit used."""

    reference: str
    """`CORE-SEAT-EUR-MONTHLY`."""
    sku: str
    currency: str
    interval: BillingInterval
    unit_amount: Decimal


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
class ContractItem:
    """A product in a contract, as it is after all amendments."""

    reference: str
    """`CON-2025-0001-1`."""
    sku: str
    price: str
    """A price's reference."""
    quantity: int
    """Units per billing interval; METERED: 0, charged by use."""
    unit_amount: Decimal
    """Agreed price per unit and billing interval, after discount."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """A recurring agreement."""

    number: str
    customer: str
    status: ContractStatus
    currency: str
    interval: BillingInterval
    starts_on: dt.date
    ends_on: dt.date
    """Last day of the current term."""
    auto_renew: bool
    notice_days: int
    trial_ends_on: dt.date | None
    cancelled_on: dt.date | None
    paused_on: dt.date | None
    items: tuple[ContractItem, ...]
    mrr: Decimal
    """Monthly value of the items that recur by quantity, in `currency`; 0 unless ACTIVE or PAUSED."""
    total_value: Decimal
    """Recurring value of the current term."""
    renewal_stage: RenewalStage
    renewal_risk: RenewalRisk
    account_manager: str
    """An owner's reference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """A change to a contract within its term."""

    reference: str
    """`AMD-CON-2025-0001-1`."""
    contract: str
    effective_on: dt.date
    sku: str
    quantity_from: int
    quantity_to: int
    mrr_change: Decimal
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What was used of a metered feature in one month."""

    reference: str
    """`USE-CON-2025-0001-API-CALLS-2025-03`."""
    customer: str
    contract: str
    sku: str
    feature: str
    period: str
    """Month in which the contract's month began, `2025-03`."""
    recorded_on: dt.date
    """Last day of the contract's month; today for the month that is not over, which is not billed yet."""
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitlement:
    """A customer's right to a feature."""

    reference: str
    """`ENT-CON-2025-0001-seats`."""
    customer: str
    contract: str
    feature: str
    limit: int | None
    """None: without limit. METERED: per contract month."""
    used: int
    """Never above the limit. METERED: in the contract month that is not over."""
    valid_from: dt.date
    valid_until: dt.date
    state: EntitlementState


@dataclass(frozen=True, slots=True, kw_only=True)
class BilledLine:
    """A charge of the subscription platform for one item and period."""

    ref: str
    """`BL-CON-2025-0001-003-1`: contract, billing run, item."""
    contract: str
    customer: str
    item: str
    sku: str
    description: str
    quantity: int
    unit_amount: Decimal
    amount: Decimal
    """quantity times unit amount."""
    currency: str
    period_start: dt.date
    period_end: dt.date
    """Last day, inclusive."""
    billed_on: dt.date
    invoice: str | None
    """Number of the invoice that carries it; None for the line that was never invoiced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """A document of the ERP."""

    number: str
    customer: str
    contract: str
    status: InvoiceStatus
    currency: str
    issued_on: dt.date
    due_on: dt.date
    posted_on: dt.date | None
    tax_code: str
    """A tax rate's code."""
    net: Decimal
    """Sum of the lines."""
    tax: Decimal
    total: Decimal
    """net plus tax."""
    paid: Decimal
    """Sum of its succeeded payments, never above the total."""
    credited: Decimal
    """Sum of its credit memos' totals."""
    balance: Decimal
    """total less paid and credited; 0 for DRAFT and VOIDED."""
    journal_entry: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceLine:
    """One line of an invoice."""

    reference: str
    """`INV-2025-00001-1`."""
    invoice: str
    billed_line: str
    sku: str
    description: str
    quantity: int
    unit_amount: Decimal
    amount: Decimal
    period_start: dt.date
    period_end: dt.date


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """Money received for an invoice."""

    reference: str
    """`PAY-2025-00001-1`: the invoice's digits, and which attempt."""
    invoice: str
    customer: str
    status: PaymentStatus
    method: PaymentMethod
    amount: Decimal
    currency: str
    received_on: dt.date
    journal_entry: str | None
    """None for failed payments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditMemo:
    """A reduction of an invoice."""

    reference: str
    """`CM-2025-00001`: the digits of the invoice it reduces."""
    invoice: str
    customer: str
    reason: str
    net: Decimal
    tax: Decimal
    total: Decimal
    currency: str
    issued_on: dt.date
    journal_entry: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RevenueEntry:
    """One month of an invoice line's revenue."""

    reference: str
    """`REV-INV-2025-00001-1-2025-03`."""
    invoice_line: str
    invoice: str
    contract: str
    period: str
    """An accounting period's code, `2025-03`."""
    amount: Decimal
    currency: str
    status: RevenueStatus
    recognized_on: dt.date | None
    journal_entry: str | None
    """The entry that moved it from deferred to revenue; None while scheduled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalLine:
    """One posting; exactly one of debit and credit is not zero."""

    account: str
    """`1000` bank, `1200` receivable, `2400` tax, `2500` deferred revenue, `4000` revenue, `4900` credits."""
    debit: Decimal
    credit: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """A balanced entry of the general ledger."""

    number: str
    """`JE-INV-2025-00001`, `JE-PAY-2025-00001-1`, `JE-CM-2025-00001`, `JE-REV-CON-2025-0001-2025-03`: named after what it books."""
    posted_on: dt.date
    period: str
    description: str
    currency: str
    lines: tuple[JournalLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountingPeriod:
    """One month of the books."""

    code: str
    """`2025-03`."""
    starts_on: dt.date
    ends_on: dt.date
    is_closed: bool


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
