"""What billing knows, in no vendor's terms. Amounts are exact decimals in major units; days and instants are UTC."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from subgraphs.kit.minor_unit import to_minor_unit


class ContractStatus(StrEnum):
    """Where a contract stands."""

    DRAFT = "DRAFT"
    TRIAL = "TRIAL"
    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    UNKNOWN = "UNKNOWN"
    """A status of the vendor's that we have no word for: nothing is given by it."""


RUNNING = frozenset({ContractStatus.TRIAL, ContractStatus.ACTIVE, ContractStatus.PAUSED})
"""Statuses of a contract that is not over and not a draft."""


class BillingInterval(StrEnum):
    """The unit of a billing cycle."""

    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"
    YEAR = "YEAR"


_MONTHS = {
    BillingInterval.DAY: Decimal(12) / Decimal(365),
    BillingInterval.WEEK: Decimal(84) / Decimal(365),
    BillingInterval.MONTH: Decimal(1),
    BillingInterval.YEAR: Decimal(12),
}


class UsageKind(StrEnum):
    """How a price is charged."""

    LICENSED = "LICENSED"
    """Ahead, by quantity."""
    METERED = "METERED"
    """Afterwards, by use."""


class EntitlementState(StrEnum):
    """Whether a feature may be used, as far as billing knows."""

    NOT_GRANTED = "NOT_GRANTED"
    """The feature exists and no agreement gives it."""
    ACTIVE = "ACTIVE"
    EXHAUSTED = "EXHAUSTED"
    SUSPENDED = "SUSPENDED"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"


class PaymentMethodKind(StrEnum):
    """How a customer pays."""

    CARD = "CARD"
    SEPA_DEBIT = "SEPA_DEBIT"
    OTHER = "OTHER"


class DocumentStatus(StrEnum):
    """State of billing's own copy of an invoice."""

    DRAFT = "DRAFT"
    OPEN = "OPEN"
    PAID = "PAID"
    UNCOLLECTIBLE = "UNCOLLECTIBLE"
    VOID = "VOID"
    UNKNOWN = "UNKNOWN"
    """A status of the vendor's that we have no word for."""


class CancellationReason(StrEnum):
    """Why a customer leaves."""

    CUSTOMER_SERVICE = "CUSTOMER_SERVICE"
    LOW_QUALITY = "LOW_QUALITY"
    MISSING_FEATURES = "MISSING_FEATURES"
    OTHER = "OTHER"
    SWITCHED_SERVICE = "SWITCHED_SERVICE"
    TOO_COMPLEX = "TOO_COMPLEX"
    TOO_EXPENSIVE = "TOO_EXPENSIVE"
    UNUSED = "UNUSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentMethod:
    """The method a customer's invoices are collected with."""

    id: str
    kind: PaymentMethodKind
    brand: str | None
    last4: str | None
    expires_on: dt.date | None
    """Last day of the month a card expires in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingCustomer:
    """Billing's own record of a customer."""

    id: str
    reference: str | None
    """The business key, `CUST-0001`."""
    name: str | None
    email: str | None
    city: str | None
    country: str | None
    currency: str | None
    tax_id: str | None
    parent_id: str | None
    """Id of the customer's record that it belongs to."""
    created_at: dt.datetime
    payment_method: PaymentMethod | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """Something that is sold."""

    id: str
    sku: str
    name: str
    is_active: bool
    features: tuple[str, ...]
    """Keys of the features it entitles to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a product costs per unit and cycle."""

    id: str
    product: str
    """A product's id."""
    reference: str | None
    """The business key of a list price; None for one negotiated with a customer."""
    currency: str
    unit_amount: Decimal | None
    """None for tiered prices."""
    interval: BillingInterval | None
    """None for a one-off charge."""
    interval_count: int
    usage: UsageKind
    is_active: bool

    @property
    def months(self) -> Decimal:
        """Length of a cycle in months; 0 for use and one-off charges, which do not recur by themselves."""
        if self.unit_amount is None or self.interval is None or self.usage is UsageKind.METERED:
            return Decimal(0)
        return _MONTHS[self.interval] * self.interval_count

    def per_month(self, quantity: int) -> Decimal:
        """What a quantity costs a month, to the currency's minor unit."""
        if not self.months or self.unit_amount is None:
            return to_minor_unit(Decimal(0), self.currency)
        return to_minor_unit(self.unit_amount * quantity / self.months, self.currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractItem:
    """One product of a contract."""

    id: str
    price: Price
    quantity: int | None
    """None for metered items."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """The end that was asked for."""

    effective_on: dt.date
    """First day without the contract."""
    reason: CancellationReason | None
    comment: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """A recurring agreement."""

    id: str
    """The vendor's id."""
    number: str
    customer: str
    """The vendor's id of the customer."""
    status: ContractStatus
    currency: str
    starts_on: dt.date
    term_starts_on: dt.date
    """First day of the current term; later than `starts_on` once renewed."""
    ends_on: dt.date | None
    """Last day of the current term."""
    auto_renews: bool
    notice_days: int
    trial_ends_on: dt.date | None
    cancellation: Cancellation | None
    resumes_on: dt.date | None
    period: tuple[dt.datetime, dt.datetime]
    """The current billing cycle, its end exclusive."""
    items: tuple[ContractItem, ...]
    limits: Mapping[str, int | None]
    """Feature → agreed limit; None: without limit."""
    granted_feature: str | None
    """Set on an agreement that only grants one feature; such a one is no contract to the reader."""
    schedule: str | None
    created_at: dt.datetime
    ended_on: dt.date | None
    version: str
    """Changes with anything above."""

    @property
    def mrr(self) -> Decimal:
        """Monthly value of what recurs by quantity, to the currency's minor unit; 0 unless active or paused."""
        is_earning = self.status in {ContractStatus.ACTIVE, ContractStatus.PAUSED}
        return monthly_value(self.items if is_earning else (), self.currency)

    @property
    def total_value(self) -> Decimal | None:
        """Value of the whole current term of what recurs by quantity; None without a term."""
        if self.ends_on is None:
            return None
        months = months_between(self.term_starts_on, self.ends_on + dt.timedelta(days=1))
        return term_value(self.items, months, self.currency)


def term_value(items: tuple[ContractItem, ...], months: int, currency: str) -> Decimal:
    """Return the value over a term of what recurs by quantity, each item to the currency's minor unit."""
    return sum(
        (
            to_minor_unit(item.price.unit_amount * (item.quantity or 0) * months / item.price.months, currency)
            for item in items
            if item.price.months and item.price.unit_amount is not None
        ),
        to_minor_unit(Decimal(0), currency),
    )


def monthly_value(items: tuple[ContractItem, ...], currency: str) -> Decimal:
    """Return the monthly value of items, each to the currency's minor unit."""
    return sum((item.price.per_month(item.quantity or 0) for item in items), to_minor_unit(Decimal(0), currency))


def months_between(start: dt.date, end: dt.date) -> int:
    """Return the whole months from one day to another."""
    return (end.year - start.year) * 12 + end.month - start.month - (end.day < start.day)


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """A change of a contract's items within its term."""

    reference: str
    effective_on: dt.date
    sku: str
    quantity_from: int
    quantity_to: int
    mrr_change: Decimal
    currency: str
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """Something a customer may be entitled to."""

    id: str
    key: str
    name: str
    meter: str | None
    """Name of the meter its use is counted by; None: not counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What was used of a feature in one month of a contract."""

    feature: str
    starts_on: dt.date
    ends_on: dt.date
    """Last day, inclusive."""
    quantity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitlement:
    """A customer's right to a feature, over all agreements that give it."""

    customer: str
    feature: Feature
    limit: int | None
    used: Decimal
    valid_from: dt.date | None
    """None where nothing was ever granted."""
    valid_until: dt.date | None
    """Last day; None: no end agreed."""
    state: EntitlementState
    contract: str | None
    """Number of the contract it comes from; None for a grant outside of contracts."""

    @property
    def id(self) -> str:
        """`cus_1.api_calls`: unique, and stable while agreements come and go."""
        return f"{self.customer}.{self.feature.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingDocument:
    """Billing's own copy of an invoice."""

    id: str
    number: str | None
    """The business number that the ERP posts it under."""
    customer: str
    contract: str | None
    """The vendor's id of the contract."""
    status: DocumentStatus
    currency: str
    subtotal: Decimal
    tax: Decimal
    total: Decimal
    amount_due: Decimal
    issued_at: dt.datetime
    due_on: dt.date | None
    lines: tuple[BilledLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BilledLine:
    """A charge for one item and period."""

    ref: str
    description: str
    quantity: int | None
    amount: Decimal
    currency: str
    starts_on: dt.date
    ends_on: dt.date
    """Last day, inclusive."""
    product: str | None
    """A product's id."""
    contract: str | None
    document: str
    invoice_number: str | None
