"""Enums and small value types of billing's part of the graph."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import strawberry

from subgraphs.billing import derivation, records
from subgraphs.kit.described_enum import described_enum
from subgraphs.kit.money import Money

ContractStatus = records.ContractStatus
BillingInterval = records.BillingInterval
UsageKind = records.UsageKind
EntitlementState = records.EntitlementState
PaymentMethodKind = records.PaymentMethodKind
BillingDocumentStatus = records.DocumentStatus
CancellationReason = records.CancellationReason
DecisionReason = derivation.DecisionReason

described_enum(
    "Where a contract stands.",
    DRAFT="Agreed and not started yet, or waiting for its first payment.",
    TRIAL="Runs free of charge until `trialEndsOn`; brings no recurring revenue yet.",
    ACTIVE="Runs and is charged, late payments or not.",
    PAUSED="Nothing is collected and its features rest, until it resumes.",
    CANCELLED="Ended before its term did or without one, or never began.",
    EXPIRED="Ended with its term.",
    UNKNOWN="In a status of the vendor's that the graph has no word for; it gives no right. `billingSystem` tells which.",
)(ContractStatus)
described_enum(
    "The unit of a billing cycle.",
    DAY="Charged every day.",
    WEEK="Charged every seven days.",
    MONTH="Charged by calendar month, on the day on which the contract started.",
    YEAR="Charged by year, on the day on which the contract started.",
)(BillingInterval)
described_enum(
    "How a price is charged: ahead by quantity, or by use.",
    LICENSED="Ahead, by the agreed quantity, used or not; this is what recurring revenue counts.",
    METERED="Afterwards, by what was used.",
)(UsageKind)
described_enum(
    "Whether a feature may be used, as far as billing knows.",
    NOT_GRANTED="The feature exists, and no agreement of the customer ever gave it.",
    ACTIVE="An agreement that runs gives it, and its limit is not used up.",
    EXHAUSTED="An agreement gives it, and its limit is used up for this month of the contract.",
    SUSPENDED="Every agreement that gives it is paused.",
    EXPIRED="The agreement that gave it ended with its term.",
    REVOKED="What gave it was cancelled or taken back.",
)(EntitlementState)
described_enum(
    "How a customer pays.",
    CARD="By credit or debit card.",
    SEPA_DEBIT="By SEPA direct debit from a bank account.",
    OTHER="By another means that billing collects with.",
)(PaymentMethodKind)
described_enum(
    "State of billing's own copy of an invoice; the ERP's `InvoiceStatus` is the one that counts.",
    called="BillingDocumentStatus",
    DRAFT="Not issued: lines and amounts may still change.",
    OPEN="Issued, and something is left to pay.",
    PAID="Nothing is left to pay.",
    UNCOLLECTIBLE="Issued, and given up: nobody expects it to be paid.",
    VOID="Issued by mistake and taken back.",
    UNKNOWN="In a status of the vendor's that the graph has no word for; `billingSystem` tells which.",
)(BillingDocumentStatus)
described_enum(
    "Why a customer leaves.",
    CUSTOMER_SERVICE="They were not content with the service they got.",
    LOW_QUALITY="The product was not good enough.",
    MISSING_FEATURES="The product can't do something they need.",
    OTHER="Something else; `comment` may say what.",
    SWITCHED_SERVICE="They go to somebody else.",
    TOO_COMPLEX="The product was too hard to use.",
    TOO_EXPENSIVE="It cost too much.",
    UNUSED="They did not use it.",
)(CancellationReason)
described_enum(
    "Why a feature may be used or not. Only ALLOWED allows.",
    called="EntitlementReason",
    ALLOWED="The customer has the right, the limit is not used up, and nothing blocks it.",
    NOT_ENTITLED="No agreement gives the feature, or what gave it was cancelled or taken back.",
    LIMIT_REACHED="The limit is used up; it may be used again next month or with a higher limit.",
    EXPIRED="The agreement that gave it ended with its term.",
    CONTRACT_PAUSED="Every agreement that gives it is paused.",
    CREDIT_HOLD="The ERP has the customer on credit hold, which blocks every feature.",
)(DecisionReason)


@strawberry.type(description="What billing collects a customer's invoices with.")
class PaymentMethod:
    """What a customer's invoices are collected with."""

    kind: PaymentMethodKind = strawberry.field(description="Card, direct debit or something else.")
    brand: str | None = strawberry.field(
        description="Brand of the card, or the bank's code for direct debit; null where the vendor names none."
    )
    last4: str | None = strawberry.field(
        description="Last four digits of the card or account; null where the vendor shows none."
    )
    expires_on: dt.date | None = strawberry.field(
        description="Last day of the month in which the card expires; null for what doesn't expire."
    )

    @classmethod
    def of(cls, record: records.PaymentMethod) -> PaymentMethod:
        """Return the type of a record."""
        return cls(kind=record.kind, brand=record.brand, last4=record.last4, expires_on=record.expires_on)


@strawberry.type(description="From one day to another, both inclusive, in UTC.")
class ServicePeriod:
    """From one day to another, both inclusive."""

    starts_on: dt.date = strawberry.field(description="The first day.")
    ends_on: dt.date = strawberry.field(description="The last day, inclusive.")


@strawberry.type(description="When the current term ends, and by when somebody has to say so who doesn't want another.")
class ContractRenewal:
    """When the current term ends and by when to say so."""

    due_on: dt.date = strawberry.field(description="Last day of the current term.")
    notice_by: dt.date = strawberry.field(
        description="Last day on which notice is in time: the agreed days of notice before the term ends."
    )
    days_left: int = strawberry.field(
        description="Whole days from today, in UTC, until it is due; negative once that day has passed."
    )


@strawberry.type(description="The end that somebody asked for.")
class ContractCancellation:
    """The end that was asked for."""

    effective_on: dt.date = strawberry.field(description="First day without the contract.")
    reason: CancellationReason | None = strawberry.field(description="Why the customer leaves; null where nobody said.")
    comment: str | None = strawberry.field(
        description="What the customer said about it, in free text; null where nothing."
    )


@strawberry.type(description="A charge that the agreed terms foresee; nothing is invoiced yet.")
class ScheduledBilling:
    """A charge that the terms foresee."""

    bills_on: dt.date = strawberry.field(description="Day on which it will be charged: the first of its period.")
    period: ServicePeriod = strawberry.field(description="The days that it will pay for.")
    amount: Money = strawberry.field(description="What recurs by quantity, before tax and without use.")


@strawberry.type(description="How much was used of a feature in one month of the contract.")
class ContractUsage:
    """What was used of a feature in one month of the contract."""

    feature: str = strawberry.field(description="Key of the feature, such as `api_calls`.")
    period: ServicePeriod = strawberry.field(description="The month: it begins on the contract's own day of the month.")
    quantity: Decimal = strawberry.field(
        description="Sum of the recorded use in the meter's own unit; may have decimals."
    )


@strawberry.type(description="A change of one product's quantity within the contract's term.")
class ContractAmendment:
    """A change of the contract's items within its term."""

    reference: str = strawberry.field(description="Business key of the change.")
    effective_on: dt.date = strawberry.field(description="First day on which it holds; may lie ahead.")
    sku: str = strawberry.field(description="The product, by its SKU.")
    quantity_from: int = strawberry.field(description="Units before; 0 for a product that was added.")
    quantity_to: int = strawberry.field(description="Units after; 0 for a product that was dropped.")
    mrr_change: Money = strawberry.field(
        description="By how much it raised, or below 0 lowered, the contract's monthly recurring revenue."
    )
    reason: str | None = strawberry.field(description="Why, as whoever made it said; null where nobody did.")


@strawberry.type(description="Whether a feature may be used now, and why.")
class EntitlementDecision:
    """Whether a feature may be used now, and why."""

    allowed: bool = strawberry.field(
        description="True: let the customer use it. `reason` is ALLOWED then, and something else if not."
    )
    reason: DecisionReason = strawberry.field(description="What decided it, to branch on.")
    explanation: str = strawberry.field(
        description="One sentence for a person, with the figures and days that decided it."
    )
    credit_checked: bool = strawberry.field(
        description="False: the owner of credit did not answer or knows no such customer, so a credit hold was left out of the decision."
    )
