"""The facts of the subscription platform: what is sold, agreed, used and charged."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from subgraphs.kit.company.terms import (
    BillingInterval,
    ContractStatus,
    EntitlementState,
    ProductKind,
    RenewalRisk,
    RenewalStage,
)


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
