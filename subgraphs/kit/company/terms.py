"""The kinds and states that the company's facts speak of."""

from __future__ import annotations

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
