"""Enums and small value types of billing's part of the graph."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import strawberry

from subgraphs.billing import derivation, records
from subgraphs.kit.money import Currency, Money

ContractStatus = records.ContractStatus
BillingInterval = records.BillingInterval
UsageKind = records.UsageKind
EntitlementState = records.EntitlementState
PaymentMethodKind = records.PaymentMethodKind
BillingDocumentStatus = records.DocumentStatus
CancellationReason = records.CancellationReason
DecisionReason = derivation.DecisionReason

strawberry.enum(ContractStatus, description="Where a contract stands.")
strawberry.enum(BillingInterval, description="The unit of a billing cycle.")
strawberry.enum(UsageKind, description="How a price is charged: ahead by quantity, or by use.")
strawberry.enum(EntitlementState, description="Whether a feature may be used.")
strawberry.enum(PaymentMethodKind, description="How a customer pays.")
strawberry.enum(
    BillingDocumentStatus, name="BillingDocumentStatus", description="State of billing's copy of an invoice."
)
strawberry.enum(CancellationReason, description="Why a customer leaves.")
strawberry.enum(DecisionReason, name="EntitlementReason", description="Why a feature may be used or not.")


def money(amount: Decimal, currency: str) -> Money:
    """Return an exact amount; unlike `Money.of` it keeps fractions of a cent, which unit prices have."""
    return Money(amount=amount, currency=Currency(currency))


@strawberry.type(description="What a customer's invoices are collected with.")
class PaymentMethod:
    """What a customer's invoices are collected with."""

    kind: PaymentMethodKind
    brand: str | None = strawberry.field(description="Card brand, or the bank's code for direct debit.")
    last4: str | None
    expires_on: dt.date | None

    @classmethod
    def of(cls, record: records.PaymentMethod) -> PaymentMethod:
        """Return the type of a record."""
        return cls(kind=record.kind, brand=record.brand, last4=record.last4, expires_on=record.expires_on)


@strawberry.type(description="From one day to another, both inclusive.")
class ServicePeriod:
    """From one day to another, both inclusive."""

    starts_on: dt.date
    ends_on: dt.date


@strawberry.type(description="When the current term ends and by when to say so.")
class ContractRenewal:
    """When the current term ends and by when to say so."""

    due_on: dt.date = strawberry.field(description="Last day of the term.")
    notice_by: dt.date = strawberry.field(description="Last day on which notice is in time.")
    days_left: int = strawberry.field(description="Days until it is due.")


@strawberry.type(description="The end that was asked for.")
class ContractCancellation:
    """The end that was asked for."""

    effective_on: dt.date = strawberry.field(description="First day without the contract.")
    reason: CancellationReason | None
    comment: str | None


@strawberry.type(description="A charge that the terms foresee.")
class ScheduledBilling:
    """A charge that the terms foresee."""

    bills_on: dt.date
    period: ServicePeriod
    amount: Money = strawberry.field(description="What recurs by quantity, before tax and use.")


@strawberry.type(description="What was used of a feature in one month of the contract.")
class ContractUsage:
    """What was used of a feature in one month of the contract."""

    feature: str
    period: ServicePeriod
    quantity: Decimal


@strawberry.type(description="A change of the contract's items within its term.")
class ContractAmendment:
    """A change of the contract's items within its term."""

    reference: str
    effective_on: dt.date
    sku: str
    quantity_from: int
    quantity_to: int
    mrr_change: Money
    reason: str | None


@strawberry.type(description="Whether a feature may be used now, and why.")
class EntitlementDecision:
    """Whether a feature may be used now, and why."""

    allowed: bool
    reason: DecisionReason
    explanation: str = strawberry.field(description="One sentence for a person.")
    credit_checked: bool = strawberry.field(
        description="False: the owner of credit did not answer or knows no such customer, so credit was left out."
    )
